"""The faults that media, hosts and people have, each with the tests that show it.

The numbers are those of the design's table of faults. A row says what may go wrong; each
of its tests makes it go wrong and looks at what airlift says and keeps.
"""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Row:
    """One fault.

    Attributes:
        number: Its number, from 1.
        fault: What goes wrong.
        tests: ``FILE::FUNCTION`` below ``tests/``, each with all its parameters.
    """

    number: int
    fault: str
    tests: tuple[str, ...]


def _row(number: int, fault: str, **tests: str) -> Row:
    """Return a row; *tests* are names of functions by file, ``__`` for each ``/``."""
    named = (
        f"{file.replace('__', '/')}.py::test_{name}"
        for file, names in tests.items()
        for name in names.split()
    )
    return Row(number, fault, tuple(named))


ROWS: Final = (
    _row(
        1,
        "one bit flipped in the payload",
        journey__test_damage="one_changed_byte_anywhere_is_refused_and_changes_nothing "
        "a_damaged_volume_is_worth_its_good_part",
        integration__test_trouble="a_changed_byte_is_named_and_a_good_copy_helps",
        faults__test_reading="what_is_wrong_every_time_is_damage",
        independent__test_fuzz="no_mutant_passes_crashes_or_changes_a_byte",
    ),
    _row(
        2,
        "bit flipped in a tar header or its padding",
        journey__test_damage="every_framing_byte_behind_the_signed_files_is_checked",
        unit__format__test_reading="damaged_framing_is_named_to_the_byte_and_reading_goes_on "
        "padding_that_is_not_zero_is_refused",
    ),
    _row(
        3,
        "bit flipped in signed files or signatures",
        faults__test_carrying="a_volume_whose_front_is_damaged_is_refused_and_another_speaks",
        unit__trust__test_damage="no_flipped_bit_is_believed "
        "no_flipped_bit_of_a_root_is_accepted a_byte_more_or_less_is_refused",
        unit__format__test_volume="any_changed_byte_of_a_label_is_refused",
    ),
    _row(
        4,
        "volume truncated at any byte",
        journey__test_damage="every_truncation_is_a_fault_with_its_place "
        "a_truncated_front_is_a_format_error",
        independent__test_reader="both_readers_refuse_every_shortened_volume",
    ),
    _row(
        5,
        "bytes appended",
        journey__test_crossing="a_volume_of_another_length_is_refused_by_name",
        journey__test_pipe="bytes_behind_the_last_volume_are_refused",
    ),
    _row(
        6,
        "zero-byte volume",
        faults__test_carrying="an_empty_volume_is_an_interrupted_copy",
    ),
    _row(
        7,
        "right size, zeros or old data inside (pulled stick)",
        faults__test_sticks="a_stick_pulled_out_while_it_is_written_brings_nothing_wrong",
        journey__test_watch="a_full_sized_file_of_zeros_is_read_again_when_it_is_filled",
        journey__test_stowing="a_volume_that_is_there_with_other_bytes_is_written_again",
    ),
    _row(
        8,
        "volume missing",
        journey__test_crossing="a_lost_volume_is_named",
        integration__test_trouble="a_missing_volume_is_named_and_may_come_later",
    ),
    _row(
        9,
        "volumes in any order, over days",
        journey__test_crossing="volumes_may_come_in_any_order_over_days "
        "one_drive_at_a_time",
        journey__test_pieces="volumes_come_in_any_order_one_by_one",
        independent__test_reader="volumes_are_read_in_any_order",
    ),
    _row(
        10,
        "duplicate volume, same or another name",
        journey__test_crossing="duplicates_strays_and_traps_on_a_medium_are_told_apart",
        journey__test_pipe="a_volume_that_comes_twice_does_no_harm",
    ),
    _row(
        11,
        "renamed: 8.3 name, (1), case, swapped names",
        journey__test_media="names_that_dos_made_do_not_matter",
        faults__test_carrying="volumes_with_each_others_names_are_known_by_content",
    ),
    _row(
        12,
        "volume of another delivery on the stick",
        journey__test_crossing="a_volume_of_an_older_delivery_does_not_stand_in",
        journey__test_pipe="a_delivery_spliced_with_anothers_volumes_is_refused",
    ),
    _row(
        13,
        "volume of another cut of the same delivery",
        faults__test_carrying="volumes_of_two_cuttings_make_one_delivery",
    ),
    _row(
        14,
        "correct content, unknown or revoked key",
        journey__test_crossing="a_stranger_is_not_believed",
        journey__test_pipe="a_stranger_through_a_pipe_is_refused_and_logged",
        unit__trust__test_signatures="a_revoked_key_signs_in_vain",
    ),
    _row(
        15,
        "old delivery replayed, or expired",
        faults__test_carrying="an_older_delivery_is_named_with_the_newer",
        journey__test_crossing="an_older_delivery_is_refused_after_a_newer_one",
        unit__trust__test_replay="every_older_delivery_is_a_repeat_and_changes_nothing "
        "an_older_delivery_that_never_came_is_refused_by_number "
        "each_document_expires_on_its_day",
    ),
    _row(
        16,
        "two deliveries of one number: a forked history",
        faults__test_carrying="a_forked_history_is_said_to_be_one",
        unit__trust__test_replay="two_deliveries_of_one_number_are_a_forked_history "
        "a_record_that_names_another_past_is_a_forked_history",
    ),
    _row(
        17,
        "strays: System Volume Information, .DS_Store, ._*, Thumbs.db",
        journey__test_crossing="duplicates_strays_and_traps_on_a_medium_are_told_apart",
        journey__test_watch="what_is_not_ours_is_left_alone",
    ),
    _row(
        18,
        "symlink, FIFO, device, socket, folder named like a volume",
        faults__test_carrying="what_is_no_file_is_left_alone",
        unit__inbound__test_volume_file="what_is_no_regular_file_is_not_opened",
    ),
    _row(
        19,
        "EIO in the middle of a file",
        faults__test_reading="one_bad_sector_costs_its_slab_and_is_named_to_the_page "
        "a_bad_sector_among_small_files_costs_what_lies_in_it "
        "several_bad_places_of_a_slab_are_counted "
        "two_scratched_copies_make_one_good_volume",
        faults__test_sticks="bad_sectors_cost_a_page_each",
        unit__inbound__test_volume_file="bad_pages_are_counted_and_asked_for_no_more_than_needed "
        "a_page_that_is_known_to_be_bad_is_not_read_again",
        journey__test_repair_command="sectors_that_cannot_be_read_are_rebuilt",
    ),
    _row(
        20,
        "short reads",
        faults__test_reading="reads_that_give_less_are_gone_on_with",
        unit__format__test_reading="a_stream_is_read_in_pieces_of_any_size",
    ),
    _row(
        21,
        "EIO on folder listing or open",
        faults__test_reading="a_volume_that_cannot_be_opened_does_not_stop_the_others "
        "a_folder_that_is_listed_in_part_gives_that_part "
        "a_folder_that_cannot_be_listed_is_said_so",
    ),
    _row(
        22,
        "device disappears during import",
        faults__test_reading="a_medium_that_disappears_is_asked_for_again",
        faults__test_sticks="a_stick_pulled_out_is_asked_for_and_gone_on_with",
        faults__test_carrying="a_medium_that_is_gone_before_it_is_read_is_asked_for",
        unit__inbound__test_volume_file="a_medium_that_was_pulled_out_is_given_up_at_once",
    ),
    _row(
        23,
        "device re-inserted under another mount point",
        faults__test_reading="a_medium_that_disappears_is_asked_for_again",
        faults__test_sticks="a_stick_pulled_out_is_asked_for_and_gone_on_with",
    ),
    _row(
        24,
        "very slow medium",
        faults__test_reading="a_slow_medium_is_waited_for_and_progress_is_shown "
        "a_medium_that_hangs_can_be_left",
        faults__test_sticks="a_slow_stick_can_be_left",
    ),
    _row(
        25,
        "same bytes read differently twice",
        faults__test_reading="what_is_right_the_second_time_is_taken_and_told "
        "a_read_that_fails_once_is_told_too",
        faults__test_sticks="a_byte_that_is_wrong_once_is_read_again",
        unit__inbound__test_volume_file="what_is_right_the_second_time_is_given_and_counted "
        "what_is_wrong_is_read_again_only_while_that_helps",
    ),
    _row(
        26,
        "fake capacity: writes beyond the real size vanish",
        faults__test_sticks="a_forged_stick_is_found_out_once_it_was_mounted_again",
        journey__test_media="a_changed_byte_is_found_before_the_trip",
    ),
    _row(
        27,
        "fake capacity that wraps around",
        faults__test_sticks="a_forged_stick_that_wraps_is_named_as_a_cause",
    ),
    _row(
        28,
        "fsync lies, cache not flushed",
        faults__test_sticks="a_sync_that_lies_is_found_out_by_a_check",
        journey__test_media="whether_a_medium_was_mounted_anew_is_told "
        "a_fresh_mount_is_claimed_only_where_it_is_known",
    ),
    _row(
        29,
        "fsync returns EIO",
        faults__test_writing="a_sync_that_fails_costs_the_volume "
        "a_folder_whose_sync_fails_is_told",
    ),
    _row(
        30,
        "disk full on the stick, 4 GiB limit",
        faults__test_writing="a_medium_that_refuses_a_write_keeps_what_is_whole",
        integration__test_trouble="a_medium_that_is_too_small_is_refused_and_another_works "
        "a_medium_that_fills_up_keeps_what_is_whole",
        journey__test_media="fat_takes_no_volume_of_4_gib",
        journey__test_stowing="what_a_failing_medium_did_not_get_goes_to_the_next",
    ),
    _row(
        31,
        "disk full on the store during import",
        integration__test_trouble="a_full_store_refuses_an_import_and_stays_as_it_was",
        unit__store__test_full_disk="a_full_disk_is_told_and_leaves_nothing_behind",
        faults__test_import_faults="a_fault_at_any_storage_call_leaves_the_old_state_or_the_new",
    ),
    _row(
        32,
        "mount point not mounted",
        journey__test_media="a_medium_that_is_not_mounted_is_not_written_to "
        "a_medium_that_is_mounted_is_written_to",
    ),
    _row(
        33,
        "read-only medium",
        journey__test_media="a_write_protected_medium_is_read",
        faults__test_sticks="a_stick_mounted_for_reading_is_enough",
    ),
    _row(
        34,
        "medium altered by a kiosk: manifest, attributes, times",
        faults__test_carrying="what_a_kiosk_changes_does_not_matter",
    ),
    _row(
        35,
        "antivirus deleted or emptied one volume",
        faults__test_carrying="a_deleted_volume_is_a_missing_one "
        "an_empty_volume_is_an_interrupted_copy",
    ),
    _row(
        36,
        "case collisions, forbidden characters in names",
        faults__test_sticks="exfat_takes_every_name_that_airlift_writes",
        unit__test_naming="a_hostile_path_is_named_for_what_it_is "
        "names_that_collide_on_some_disk_are_found",
        unit__format__test_volume="file_names_are_the_same_on_every_file_system",
    ),
    _row(
        37,
        "stale .part or .tmp from an earlier copy",
        faults__test_carrying="what_an_earlier_copy_left_does_no_harm",
        faults__test_writing="what_an_earlier_try_left_is_written_over",
    ),
    _row(
        38,
        "two processes import the same delivery",
        faults__test_writing="two_imports_at_once_do_not_meet",
    ),
    _row(
        39,
        "power loss on the isolated host at any point",
        faults__test_kills="a_kill_at_any_change_of_the_disk_loses_nothing",
        faults__test_import_faults="a_fault_at_any_storage_call_leaves_the_old_state_or_the_new",
        unit__registry__test_faults="no_fault_of_the_disk_leaves_a_half_import",
        unit__store__test_power_cut="no_power_cut_loses_or_spoils_a_blob",
        integration__test_trouble="an_interrupted_import_leaves_nothing_live_and_goes_on",
    ),
    _row(
        40,
        "one of ten volumes lost, spares at hand",
        journey__test_repair="any_two_lost_volumes_are_rebuilt "
        "fifty_bad_sectors_are_repaired a_truncated_volume_is_completed "
        "a_lost_volume_and_twenty_bad_sectors_are_repaired "
        "media_are_read_one_at_a_time",
    ),
    _row(
        41,
        "spare volume itself damaged",
        journey__test_repair="damaged_spares_serve_with_the_rows_they_have "
        "a_spare_with_wrong_parity_rebuilds_nothing "
        "a_wrong_spare_does_not_spoil_the_right_one",
    ),
    _row(
        42,
        "damage beyond repair",
        journey__test_repair="what_is_beyond_repair_is_named_to_the_stripe "
        "lost_volumes_beyond_repair_leave_no_file",
        journey__test_repair_command="damage_beyond_repair_ends_as_damage",
    ),
    _row(
        43,
        "spare volumes of another cut",
        faults__test_carrying="a_spare_of_another_cutting_rebuilds_nothing",
    ),
    _row(
        44,
        "decompression bomb, forged length",
        unit__format__test_block="only_one_plain_frame_of_the_stated_length_is_decoded "
        "a_window_beyond_8_mib_is_refused "
        "a_slab_over_the_limit_is_refused_before_anything_is_read",
        unit__format__test_mutants="mutants_end_in_refusals_in_bounded_memory",
    ),
    _row(
        45,
        "huge numbers, deep JSON, duplicate keys in signed files",
        unit__format__test_canonical="nesting_is_bounded_before_the_parser_runs "
        "an_integer_beyond_the_limit_is_found_at_any_depth a_second_spelling_is_refused",
        unit__format__test_head="counts_that_the_bytes_do_not_hold_are_refused",
        unit__format__test_reading="a_hostile_size_is_refused_before_a_byte_of_it_is_read",
        unit__trust__test_damage="hostile_json_is_refused_calmly",
    ),
    _row(
        46,
        "path tricks in names",
        unit__test_naming="a_hostile_path_is_named_for_what_it_is "
        "what_is_shown_cannot_drive_a_terminal",
        unit__format__test_records="a_release_document_is_refused_with_the_place",
    ),
    _row(
        47,
        "delta against another inventory",
        faults__test_carrying="a_missing_base_is_named_with_who_brought_it",
        integration__test_build_on="a_site_that_never_took_the_first_says_what_to_bring",
        journey__test_updates="a_delivery_whose_base_is_not_there_changes_nothing "
        "a_base_that_was_collected_is_missed_by_name",
    ),
    _row(
        48,
        "diode: a file grows in place for hours",
        journey__test_watch="a_file_that_grows_for_hours_is_kept_as_far_as_it_is_good "
        "a_file_that_still_changes_is_not_read",
    ),
    _row(
        49,
        "diode: a volume under a new name, twice, interleaved",
        journey__test_watch="volumes_are_taken_as_they_arrive_and_the_last_imports "
        "deliveries_between_each_other_are_recorded_in_their_order",
        journey__test_send="files_that_are_sent_again_have_fresh_names",
    ),
    _row(
        50,
        "diode stream: loss, cut in the middle, restart",
        journey__test_pipe="a_stream_that_breaks_off_keeps_what_verified "
        "garbage_between_volumes_ends_the_stream_and_keeps_what_came "
        "a_damaged_byte_ends_the_stream_after_its_volume "
        "a_stream_that_ends_between_volumes_is_incomplete",
        namespace__test_one_way="a_delivery_arrives_through_a_link_that_answers_nothing",
    ),
    _row(
        51,
        "tape: two volumes in one tape file",
        journey__test_pipe="the_command_reads_what_cat_writes "
        "volumes_come_through_a_pipe_in_any_order",
    ),
    _row(
        52,
        "clock wrong on the isolated host",
        faults__test_carrying="a_clock_that_runs_behind_is_warned_about "
        "a_clock_that_runs_ahead_cannot_be_told_from_age",
        unit__trust__test_replay="a_clock_turned_back_does_not_bring_the_expired_back "
        "the_floor_never_falls",
    ),
    _row(
        53,
        "signature sidecars lost",
        faults__test_carrying="the_files_beside_the_volumes_are_not_needed",
    ),
    _row(
        54,
        "SHA256SUMS with CRLF or BOM",
        faults__test_carrying="the_files_beside_the_volumes_are_not_needed",
    ),
)
"""All 54."""
