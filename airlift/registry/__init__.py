"""What this site holds and believes, in SQL, and the files it can be rebuilt from.

Registry  records deliveries, says what is held, moves the live set
Shelf     what is live, as the server looks things up
records   signed records and a summary, kept beside the database as files
rebuild   the database again, from those files and the store
"""
