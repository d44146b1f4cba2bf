"""The attacks of the threat model, each with what answers it and the tests that show it.

Letters and numbers are those of the design's table. Who attacks: C the courier or who
has the medium, K who holds a stolen key, U upstream, L somebody local or on the network
of the isolated side; F is a fault with no attacker.
"""

from dataclasses import dataclass
from typing import Final

TITLES: Final = {
    "A": "Tampering with what is carried",
    "B": "Replay, freshness, wrong place",
    "C": "Keys and people",
    "D": "Parsing and canonical form",
    "E": "Names, archives, compression",
    "H": "The store over years",
    "J": "Terminals, logs, and airlift itself",
}


@dataclass(frozen=True, slots=True)
class Row:
    """One attack.

    Attributes:
        number: A letter and a number: ``A1``.
        attack: What is tried, and by whom.
        answer: What airlift does.
        tests: ``FILE::FUNCTION`` below ``tests/``, each with all its parameters.
    """

    number: str
    attack: str
    answer: str
    tests: tuple[str, ...]


def _row(number: str, attack: str, answer: str, **tests: str) -> Row:
    """Return a row; *tests* are names of functions by file, ``__`` for each ``/``."""
    named = (
        f"{file.replace('__', '/')}.py::test_{name}"
        for file, names in tests.items()
        for name in names.split()
    )
    return Row(number, attack, answer, tuple(named))


ROWS: Final = (
    # --- tampering with what is carried ------------------------------------------
    _row(
        "A1",
        "edits bytes in a volume (C)",
        "`format`: the first bad place is named; nothing changes",
        journey__test_damage="one_changed_byte_anywhere_is_refused_and_changes_nothing "
        "every_framing_byte_behind_the_signed_files_is_checked",
        unit__trust__test_damage="no_flipped_bit_is_believed",
        independent__test_fuzz="no_mutant_passes_crashes_or_changes_a_byte",
    ),
    _row(
        "A2",
        "swaps in a volume of an older delivery (C)",
        "known by content; the one that is missing is named",
        journey__test_crossing="a_volume_of_an_older_delivery_does_not_stand_in",
        attacks__test_swaps="no_volume_of_another_delivery_stands_in",
        unit__trust__test_replay="no_mixture_of_two_deliveries_is_believed",
    ),
    _row(
        "A3",
        "reorders, doubles, omits or renames volumes (C/F)",
        "any order and name is taken; what is missing is listed",
        journey__test_crossing="volumes_may_come_in_any_order_over_days "
        "a_lost_volume_is_named duplicates_strays_and_traps_on_a_medium_are_told_apart",
        faults__test_carrying="volumes_with_each_others_names_are_known_by_content",
    ),
    _row(
        "A4",
        "truncates a volume or a blob (C/F)",
        "`format`, with the place where it ends",
        journey__test_damage="every_truncation_is_a_fault_with_its_place "
        "a_truncated_front_is_a_format_error",
        independent__test_reader="both_readers_refuse_every_shortened_volume",
        unit__trust__test_damage="a_byte_more_or_less_is_refused",
    ),
    _row(
        "A5",
        "appends, or sends without end (C)",
        "nothing is read past what is signed or its limit",
        unit__format__test_reading="a_hostile_size_is_refused_before_a_byte_of_it_is_read "
        "records_beyond_the_limit_of_bytes_are_refused_in_sum "
        "one_record_too_many_is_refused",
        unit__store__test_blobs="a_stream_that_never_ends_is_read_no_further_than_its_size",
        unit__trust__test_verifier="a_record_longer_than_its_kind_may_be_is_refused_unread",
        attacks__test_media="a_stream_without_end_is_read_to_a_limit",
        journey__test_crossing="a_volume_of_another_length_is_refused_by_name",
    ),
    _row(
        "A6",
        "lays other files beside the delivery (C)",
        "left alone and listed; in a volume: `trust`",
        attacks__test_media="nothing_beside_the_volumes_is_taken_in",
        unit__trust__test_verifier="an_extra_file_is_refused_by_name "
        "a_release_the_record_does_not_name_is_refused",
        faults__test_carrying="what_a_kiosk_changes_does_not_matter",
    ),
    _row(
        "A7",
        "bits rot on the way (F)",
        "the bad slab is named; the rest is kept; spares rebuild",
        journey__test_damage="a_damaged_volume_is_worth_its_good_part",
        faults__test_reading="one_bad_sector_costs_its_slab_and_is_named_to_the_page "
        "two_scratched_copies_make_one_good_volume",
        journey__test_watch="two_lost_volumes_are_rebuilt_from_two_spares",
    ),
    _row(
        "A8",
        "changes media between check and use (C/L)",
        "read once, hashed as it is taken: no wrong byte is kept",
        attacks__test_media="what_changes_while_it_is_read_is_never_kept_wrong",
        unit__inbound__test_volume_file="a_file_that_becomes_shorter_is_said_to",
        journey__test_watch="a_file_that_still_changes_is_not_read",
    ),
    _row(
        "A9",
        "a link, pipe, device or sparse giant as a volume (C)",
        "not opened; never waited for",
        unit__inbound__test_volume_file="what_is_no_regular_file_is_not_opened",
        faults__test_carrying="what_is_no_file_is_left_alone",
        attacks__test_media="a_sparse_giant_is_refused_unread",
        unit__trust__test_files="an_endless_device_is_refused_unread "
        "a_pipe_in_the_place_of_a_file_does_not_hang",
    ),
    # --- replay, freshness, wrong place -------------------------------------------
    _row(
        "B1",
        "replays an old delivery (C)",
        "`trust`; one that was imported changes nothing",
        unit__trust__test_replay="every_older_delivery_is_a_repeat_and_changes_nothing "
        "an_older_delivery_that_never_came_is_refused_by_number versions_turned_back_are_refused",
        journey__test_crossing="an_older_delivery_is_refused_after_a_newer_one "
        "importing_again_changes_nothing",
    ),
    _row(
        "B2",
        "an old delivery to a host set up anew (C/F)",
        "`trust` below the number given at its set-up",
        attacks__test_freshness="a_host_set_up_anew_takes_nothing_older_than_it_is_told "
        "a_host_set_up_anew_remembers_that_after_a_rebuild",
        unit__trust__test_replay="a_delivery_from_before_the_anchor_is_refused",
    ),
    _row(
        "B3",
        "freezes: brings nothing, or the same again (C)",
        "doctor, page and metrics say since when; exit code 5",
        attacks__test_freshness="the_freeze_alarm_rings_on_its_day",
        unit__trust__test_replay="each_document_expires_on_its_day",
    ),
    _row(
        "B4",
        "mixes metadata of two deliveries (C)",
        "`trust`: not from one delivery",
        unit__trust__test_replay="no_mixture_of_two_deliveries_is_believed "
        "a_mixture_is_said_to_be_one",
    ),
    _row(
        "B5",
        "takes a delivery to another site (C)",
        "`trust`: names both sites",
        unit__trust__test_replay="only_the_site_that_is_addressed_takes_a_delivery "
        "a_delivery_renamed_for_another_site_is_refused a_sites_key_cannot_address_another_site",
        journey__test_crossing="another_sites_delivery_is_refused",
    ),
    _row(
        "B6",
        "withholds part of a delivery (C)",
        "nothing goes live; what is missing is named",
        unit__trust__test_verifier="a_release_that_is_left_out_is_named a_missing_record_is_named",
        journey__test_crossing="a_lost_volume_is_named",
        unit__registry__test_registry="a_delivery_without_its_blobs_is_not_recorded",
    ),
    _row(
        "B7",
        "drops one of a chain of differences (C/F)",
        "`incomplete`: names what it builds on",
        journey__test_base="a_delivery_that_never_came_is_asked_for",
        journey__test_crossing="a_delivery_that_builds_on_what_is_not_here_is_refused_before_anything",
        faults__test_carrying="a_missing_base_is_named_with_who_brought_it",
    ),
    _row(
        "B8",
        "raises version numbers to their end (K)",
        "`trust` above 10,000 at once; new keys outlive it",
        unit__trust__test_replay="a_version_that_leaps_is_refused a_sequence_that_leaps_is_refused "
        "a_thief_who_raised_versions_is_outlived_by_new_keys",
        unit__trust__test_denials="a_deny_list_only_grows",
    ),
    _row(
        "B9",
        "turns the clock back (L/F)",
        "time is never before what was verified",
        unit__trust__test_replay="a_clock_turned_back_does_not_bring_the_expired_back "
        "a_clock_behind_the_floor_is_a_warning_not_a_refusal the_floor_never_falls",
        unit__inbound__test_holding="a_clock_turned_back_makes_no_delivery_younger",
        attacks__test_freshness="no_clock_makes_an_expired_delivery_good",
    ),
    _row(
        "B10",
        "sets the clock ahead, so that all expires (L/F)",
        "said to be the clock; two people may take it late",
        unit__trust__test_replay="a_clock_far_ahead_is_said_to_be_so",
        unit__trust__test_grace="two_people_let_a_site_take_what_expired "
        "one_person_is_not_enough a_word_counts_for_14_days nothing_but_the_expiry_is_lifted "
        "nothing_signed_more_than_a_year_ago_is_taken",
        attacks__test_freshness="what_is_taken_late_is_in_the_log_and_can_be_rebuilt",
    ),
    _row(
        "B11",
        "odd times: 2038, leap seconds, time zones (F)",
        "one spelling; every other is `format`",
        unit__trust__test_clock="every_other_spelling_of_a_time_is_refused "
        "times_past_the_end_of_32_bits_are_times",
    ),
    _row(
        "B12",
        "shows two sites, or one site twice, two histories (K/C)",
        "`trust`: a forked history; receipts tell the sender",
        unit__trust__test_replay="two_deliveries_of_one_number_are_a_forked_history "
        "a_record_that_names_another_past_is_a_forked_history "
        "two_documents_of_one_version_are_a_forked_history",
        journey__test_receipts="a_copy_of_the_site_that_goes_its_own_way_is_found_out",
        journey__test_log="a_log_that_went_another_way_is_refused_by_the_sender",
    ),
    # --- keys and people -----------------------------------------------------------
    _row(
        "C1",
        "has one stolen key (K)",
        "`trust`: too few signatures",
        journey__test_stolen_keys="c1_one_stolen_key_signs_nothing c1_one_robbed_person_signs_nothing",
        unit__trust__test_signatures="one_stolen_key_is_not_enough",
    ),
    _row(
        "C2",
        "signs twice with one key (K)",
        "`format`: has signed already",
        journey__test_stolen_keys="c2_one_key_that_signs_twice_counts_once",
        unit__trust__test_signatures="one_key_that_signs_twice_counts_once",
    ),
    _row(
        "C3",
        "registers one key under two ids (K/F)",
        "`format`: ids are computed again (stock TUF counts two)",
        journey__test_stolen_keys="c3_one_key_under_two_ids_is_refused "
        "c3_one_person_with_two_keys_of_a_family_is_refused",
        unit__trust__test_signatures="one_key_under_two_ids_is_refused_for_sites",
    ),
    _row(
        "C4",
        "signs with a revoked key (K)",
        "`trust`: it has no say; denied, it never has one again",
        journey__test_stolen_keys="c4_a_revoked_key_signs_nothing",
        unit__trust__test_signatures="a_revoked_key_and_a_good_one_are_not_two",
        unit__trust__test_denials="a_denied_key_is_given_no_say_again "
        "a_site_refuses_what_counts_a_denied_key",
    ),
    _row(
        "C5",
        "drops the root that revokes (C)",
        "`trust` or `format`: names the link",
        journey__test_stolen_keys="c5_no_link_of_the_chain_of_roots_can_be_left_out",
        unit__trust__test_replay="a_dropped_root_is_named "
        "a_newest_root_that_changes_no_dispatch_key_cannot_be_dropped",
    ),
    _row(
        "C6",
        "withholds deliveries so that no revocation arrives (C)",
        "the alarm of B3; a delivery of revocations is small",
        journey__test_stolen_keys="c6_what_revokes_a_key_is_small",
        journey__test_denying="a_delivery_of_revocations_is_small",
        attacks__test_freshness="the_freeze_alarm_rings_on_its_day",
    ),
    _row(
        "C7",
        "has stolen as many root keys as must sign (K)",
        "a new root is accepted by hand; the old one's word is over",
        journey__test_drills="a_drill_goes_as_it_should",
        attacks__test_freshness="a_site_that_accepted_a_new_root_believes_the_old_no_more",
    ),
    _row(
        "C8",
        "guesses at a stolen key file (K)",
        "Argon2id, 256 MiB, three passes; every field bound",
        unit__trust__test_keys="the_costs_are_the_documented_ones every_field_is_bound_to_the_secret "
        "the_file_never_holds_the_secret_in_the_open there_is_no_key_without_a_passphrase",
    ),
    _row(
        "C9",
        "wrong token, wrong PIN, another key in it (F)",
        "told apart; no file stands in",
        unit__trust__test_keys="a_key_in_a_token_signs_and_stays_there",
        integration__test_token="a_wrong_pin_is_told_as_one "
        "a_token_that_is_not_in_is_named another_key_under_the_same_id_is_told_apart "
        "two_keys_under_one_id_are_refused an_id_that_is_not_there_is_said_so "
        "a_module_that_is_not_installed_is_named",
    ),
    _row(
        "C10",
        "waves something through alone (insider)",
        "`trust`: two people, each statement scoped and logged",
        journey__test_stolen_keys="c10_one_person_cannot_wave_a_root_through",
        unit__registry__test_clearance="the_same_person_cannot_approve_twice "
        "what_is_written_into_the_log_by_hand_does_not_count",
        unit__trust__test_approval="no_set_of_too_few_approvals_passes "
        "an_approval_is_of_one_thing_at_one_site",
        unit__trust__test_grace="one_person_is_not_enough a_site_that_knows_one_person_takes_nothing_late",
    ),
    _row(
        "C11",
        "labels a key with another scheme (K/C)",
        "`format`: five schemes, bound to the key",
        journey__test_stolen_keys="c11_a_key_under_another_scheme_is_refused",
        unit__trust__test_public="a_scheme_off_the_list_is_refused "
        "an_rsa_key_under_an_accepted_label_is_refused",
    ),
    _row(
        "C12",
        "offers a weak or unknown hash (C)",
        "`format`: SHA-256 and nothing else",
        journey__test_stolen_keys="c12_no_hash_but_sha256_is_taken",
    ),
    _row(
        "C13",
        "breaks one family of signatures (K)",
        "`trust`: people must sign with both families",
        journey__test_stolen_keys="c13_a_broken_family_signs_nothing "
        "c13_a_broken_family_and_a_robbed_person_sign_nothing",
        unit__trust__test_people="of_all_sets_of_six_keys_those_with_two_whole_people_suffice",
    ),
    _row(
        "C14",
        "odd forms of signatures (C)",
        "only one form verifies; a changed one never",
        unit__trust__test_public="no_changed_signature_verifies no_invented_signature_verifies "
        "the_second_form_of_an_ecdsa_signature_is_refused "
        "trailing_bytes_after_a_signature_are_refused",
        unit__trust__test_damage="signatures_on_a_curve_have_no_free_bits",
        attacks__test_published="wycheproof_and_airlift_say_the_same_of_every_signature "
        "of_valid_signatures_one_of_two_forms_is_metadata "
        "wycheproof_and_the_library_under_ml_dsa_say_the_same",
    ),
    # --- parsing and canonical form -------------------------------------------------
    _row(
        "D1",
        "duplicate keys in JSON (C)",
        "`format`, before any library sees the bytes",
        unit__format__test_canonical="a_second_spelling_is_refused what_is_not_json_is_refused",
        unit__trust__test_damage="hostile_json_is_refused_calmly",
        attacks__test_json="no_invalid_json_is_read no_ambiguous_json_is_read",
        attacks__test_published="no_file_that_is_no_json_is_read "
        "of_json_the_one_canonical_form_without_floats_is_read",
    ),
    _row(
        "D2",
        "equal JSON in another layout (C)",
        "`format`: one spelling of each record",
        unit__format__test_canonical="another_layout_is_refused",
        unit__trust__test_damage="the_same_value_in_another_spelling_is_refused",
    ),
    _row(
        "D3",
        "adds fields that nobody signed (C)",
        "`format`: unknown fields are refused, not shown",
        unit__trust__test_damage="no_change_of_any_record_is_believed",
        unit__trust__test_public="unknown_fields_of_a_key_are_refused",
        unit__format__test_records="a_dispatch_record_is_refused_with_the_place "
        "a_release_document_is_refused_with_the_place",
    ),
    _row(
        "D4",
        "deep nesting, huge numbers, floats, surrogates (C)",
        "`format`, within bounds of depth, size and memory",
        unit__format__test_canonical="nesting_is_bounded_before_the_parser_runs "
        "nothing_in_a_string_hides_nesting_behind_it an_integer_beyond_the_limit_is_found_at_any_depth",
        unit__trust__test_damage="hostile_json_is_refused_calmly",
    ),
    _row(
        "D5",
        "one signed statement passed off as another (C)",
        "each purpose has a prefix of its own",
        unit__trust__test_site_key="a_signature_counts_for_one_purpose_and_payload "
        "what_a_site_key_signs_is_never_metadata",
        unit__trust__test_receipt="a_signature_for_another_purpose_is_none",
        unit__trust__test_site_request="a_signed_receipt_is_no_request",
        unit__trust__test_grace="an_approval_of_a_release_is_no_word_for_what_expired",
    ),
    _row(
        "D6",
        "gives other bytes at a second reading (C)",
        "what was verified is what is parsed and kept",
        attacks__test_media="what_changes_while_it_is_read_is_never_kept_wrong",
        unit__trust__test_verifier="verification_changes_nothing_it_is_given",
    ),
    _row(
        "D7",
        "odd encodings, trailing bytes (C)",
        "one spelling of hexadecimal and of typed text; no tail",
        unit__trust__test_signatures="a_signature_in_another_spelling_is_refused",
        unit__trust__test_receipt="a_receipt_is_two_lines_and_nothing_else",
        unit__trust__test_catalogue="neither_a_cut_nor_a_tail_is_believed",
        unit__format__test_compact="everything_else_is_refused",
    ),
    _row(
        "D8",
        "huge metadata (C)",
        "a limit for each kind, in number and bytes",
        unit__trust__test_verifier="more_roots_or_releases_than_anybody_has_are_refused "
        "a_record_longer_than_its_kind_may_be_is_refused_unread",
        unit__format__test_records="a_record_above_its_limit_is_not_even_parsed",
    ),
    _row(
        "D9",
        "a library goes to the network by itself (F)",
        "no call out; strace and an empty namespace look",
        namespace__test_no_network_calls="a_call_out_would_be_seen "
        "no_command_of_the_isolated_side_uses_the_network serving_answers_and_never_asks",
        namespace__test_whole_side="every_command_is_watched_or_stands_in_a_list "
        "no_command_of_the_isolated_side_makes_a_network_call",
        namespace__test_without_network="inbound_registry_store_and_trust_work_without_a_network",
        house__test_air_gap="a_command_of_the_isolated_side_loads_no_way_out "
        "no_command_of_the_isolated_side_opens_a_connection",
    ),
    _row(
        "D10",
        "a delegation taken from another parent (K)",
        "one role, one parent, one pattern, terminating",
        unit__trust__test_signatures="a_delegation_wider_than_one_site_is_refused "
        "documents_beyond_their_office_are_refused_though_signed",
        unit__trust__test_catalogue="the_role_of_catalogues_reaches_no_further",
        unit__trust__test_client="the_client_refuses_by_itself_what_airlift_refuses_too",
        integration__test_tuf_client="the_adapter_does_what_the_suite_asks_for",
    ),
    # --- names, archives, compression -----------------------------------------------
    _row(
        "E1",
        "paths that lead out (C/U)",
        "refused at export and at import, by one rule",
        unit__test_naming="a_hostile_path_is_named_for_what_it_is",
        unit__sources__test_folder="names_that_no_site_takes_are_refused",
        unit__format__test_records="a_release_document_is_refused_with_the_place "
        "a_usual_file_is_read_no_more_kindly",
        unit__serve__test_attacks="no_name_is_ever_a_path",
    ),
    _row(
        "E2",
        "names that collide on some disk (U)",
        "refused: equal after NFKC and case folding",
        unit__test_naming="names_that_collide_on_some_disk_are_found",
    ),
    _row(
        "E3",
        "links in what is carried (U/C)",
        "refused by name; none is ever stored or followed",
        unit__sources__test_folder="links_are_refused_by_name",
        unit__store__test_blobs="a_link_in_place_of_a_blob_is_not_held",
        unit__store__test_partial="a_link_under_a_partials_name_is_refused",
    ),
    _row(
        "E4",
        "devices, pipes, odd modes (C)",
        "refused; modes are fixed",
        unit__sources__test_folder="pipes_and_sockets_are_refused_and_do_not_hang",
        unit__store__test_blobs="modes_do_not_depend_on_the_umask",
    ),
    _row(
        "E5",
        "archives that escape their folder (C)",
        "nothing is ever extracted",
        house__test_rules="no_archive_is_extracted nothing_is_unpickled the_rules_see_what_they_look_for",
    ),
    _row(
        "E6",
        "decompression bombs (C/U)",
        "bounded by the signed length",
        unit__format__test_block="only_one_plain_frame_of_the_stated_length_is_decoded "
        "a_slab_over_the_limit_is_refused_before_anything_is_read",
        unit__payload__test_wheel="a_bomb_is_stopped_at_the_size_it_states",
        unit__format__test_mutants="mutants_end_in_refusals_in_bounded_memory",
    ),
    _row(
        "E7",
        "a frame with a giant window (C)",
        "`format` above 8 MiB",
        unit__format__test_block="a_window_beyond_8_mib_is_refused",
    ),
    _row(
        "E8",
        "bytes behind a frame, frames to skip (C)",
        "`format`: every byte is accounted for",
        unit__format__test_block="bytes_after_the_last_block_are_refused "
        "only_one_plain_frame_of_the_stated_length_is_decoded",
        unit__format__test_reading="padding_that_is_not_zero_is_refused",
    ),
    _row(
        "E9",
        "a wheel that reads in two ways (U)",
        "refused at export; waits at import",
        unit__payload__test_wheel="an_archive_that_can_be_read_in_two_ways_is_refused "
        "a_wheel_that_contradicts_itself_is_refused no_changed_byte_goes_unseen_or_crashes",
        unit__payload__test_gate="a_wheel_with_bytes_in_front_does_not_leave",
    ),
    _row(
        "E10",
        "over-long or unprintable names (U)",
        "refused at the documented lengths",
        unit__test_naming="a_hostile_path_is_named_for_what_it_is",
        attacks__test_names="a_path_is_refused_from_the_documented_length_on",
    ),
    _row(
        "E11",
        "a declared size that fills the disk (C)",
        "`store`: refused before the first byte",
        integration__test_trouble="a_full_store_refuses_an_import_and_stays_as_it_was",
        unit__store__test_durable="space_is_asked_for_before_the_first_byte",
        unit__store__test_full_disk="a_full_disk_is_told_and_leaves_nothing_behind",
    ),
    # --- the store over years ---------------------------------------------------------
    _row(
        "H1",
        "bits rot in the store (F)",
        "found, named with all that use it, and brought again",
        unit__cli__test_verify="a_rotten_blob_is_named_with_all_that_use_it "
        "rot_in_a_pack_is_found_too a_new_delivery_brings_back_what_was_lost",
        unit__store__test_scrub="what_is_wrong_is_told_of_each_blob_and_the_rest_is_read",
    ),
    _row(
        "H2",
        "a local user edits a blob (L)",
        "found as rot; a server cannot write the store",
        unit__store__test_blobs="rot_is_found_and_named a_cut_off_blob_is_an_error_not_a_short_answer "
        "a_link_in_place_of_a_blob_is_not_held",
        unit__cli__test_doctor="rights_given_away_are_a_problem",
    ),
    _row(
        "H3",
        "the database is lost (F)",
        "made again from what is signed, equal row by row",
        unit__registry__test_rebuild="a_rebuilt_database_equals_the_lost_one "
        "a_forged_delivery_among_the_records_stops_the_rebuild",
        journey__test_denying="a_database_made_again_denies_the_same",
    ),
    _row(
        "H4",
        "the database is put back from a copy (L)",
        "`registry`: behind its records, or behind its mark",
        unit__registry__test_rebuild="a_database_put_back_from_a_copy_is_refused "
        "a_copy_that_lacks_only_a_line_of_the_log_is_refused",
        unit__registry__test_mark="a_home_that_is_put_back_whole_is_refused_at_every_age "
        "a_rebuild_from_records_that_were_put_back_is_refused "
        "a_damaged_mark_stops_everything",
        journey__test_receipts="a_receipt_counts_once_and_in_order "
        "a_copy_of_the_site_that_goes_its_own_way_is_found_out",
        unit__registry__test_log="a_database_and_records_put_back_are_found_by_the_checkpoint_beside "
        "a_whole_host_put_back_is_found_by_what_was_carried_away",
        journey__test_log="a_host_put_back_is_found_at_the_next_delivery",
        unit__registry__test_cosigning="a_cosigned_note_finds_a_log_that_was_put_back",
    ),
    _row(
        "H5",
        "the database is edited by hand (L)",
        "found by the signed log; a rebuild restores what is signed",
        attacks__test_database="no_row_that_somebody_writes_lifts_a_signed_denial "
        "every_edit_of_what_is_signed_is_undone_by_a_rebuild",
        unit__registry__test_clearance="what_is_written_into_the_log_by_hand_does_not_count",
        unit__registry__test_log="every_change_of_every_row_is_found "
        "hashes_made_anew_do_not_hide_an_edit",
    ),
    _row(
        "H6",
        "the database is damaged (F)",
        "`registry`: said, with how to make it again",
        attacks__test_database="a_damaged_page_is_found_or_does_no_harm",
        unit__cli__test_doctor="a_damaged_database_is_a_problem_of_the_registry "
        "another_journal_mode_is_noticed",
        unit__registry__test_engine="every_commit_is_on_the_disk",
    ),
    _row(
        "H7",
        "the log is cut or rewritten (L)",
        "found: a signed Merkle tree, and copies elsewhere",
        unit__registry__test_registry="the_log_tells_everything_in_order_and_only_grows",
        unit__registry__test_log="every_change_of_every_row_is_found "
        "both_verifiers_find_every_change_of_a_carried_log what_is_refused_is_in_the_log",
        unit__format__test_merkle="every_event_of_every_size_is_proved_and_nothing_else "
        "every_log_is_proved_to_go_on_from_every_earlier_one",
        unit__registry__test_cosigning="a_history_written_anew_with_the_sites_key_has_no_cosignature "
        "both_verifiers_find_what_was_changed_of_cosignatures",
        unit__registry__test_mark="a_copy_that_lacks_one_line_of_the_log_is_refused",
    ),
    _row(
        "H8",
        "secrets in logs (-)",
        "fixed fields; tokens and passphrases never",
        attacks__test_secrets="no_secret_reaches_a_log_or_an_error",
    ),
    # --- terminals, logs, airlift itself ----------------------------------------------
    _row(
        "J1",
        "escapes in names drive a terminal (U/C)",
        "shown as text",
        unit__test_naming="what_is_shown_cannot_drive_a_terminal",
        unit__cli__test_main="what_acts_on_a_terminal_is_never_printed_raw",
        unit__trust__test_verifier="a_hostile_name_cannot_drive_the_terminal",
        unit__trust__test_words="terminal_escapes_in_a_typed_word_are_defused",
    ),
    _row(
        "J2",
        "lines forged in a log (U)",
        "one record a line, escaped",
        attacks__test_names="no_name_makes_a_line_of_its_own_in_the_log",
        unit__cli__test_main="an_error_as_json_is_one_document",
    ),
    _row(
        "J3",
        "SQL and format strings in names (U)",
        "values are bound, never spliced",
        attacks__test_names="no_name_is_a_statement",
    ),
    _row(
        "J4",
        "names that are options (U)",
        "no path part begins with `-`",
        unit__test_naming="a_hostile_path_is_named_for_what_it_is",
    ),
    _row(
        "J5",
        "airlift's own wheel is swapped (C/U)",
        "not installed",
        namespace__test_first_install="a_changed_wheel_is_not_installed "
        "the_wrong_root_is_not_accepted",
    ),
    _row(
        "J6",
        "environment: proxies, TMPDIR, umask, PYTHONPATH (L)",
        "no proxy is asked; modes are stated, not inherited",
        attacks__test_environment="no_setting_of_the_environment_changes_what_is_imported",
        unit__store__test_blobs="modes_do_not_depend_on_the_umask",
        unit__registry__test_registry="the_registry_is_private",
    ),
    _row(
        "J7",
        "keys in core dumps or swap (F)",
        "keys are open only while they sign; tokens keep them",
        unit__trust__test_keys="the_file_never_holds_the_secret_in_the_open "
        "a_key_in_a_token_signs_and_stays_there",
    ),
    _row(
        "J8",
        "input that makes a parser crash (C/U)",
        "a refusal of its kind, never a traceback",
        independent__test_fuzz="no_mutant_passes_crashes_or_changes_a_byte "
        "a_mutated_slab_gives_all_its_bytes_or_none",
        unit__format__test_mutants="mutants_end_in_refusals_in_bounded_memory",
        unit__trust__test_damage="no_junk_in_place_of_a_record_is_believed",
        unit__payload__test_sniff="no_bytes_make_it_raise",
    ),
)
