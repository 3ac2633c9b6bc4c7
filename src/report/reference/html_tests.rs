use super::super::fixtures::{measured, some};
use super::*;

/// One element a line, without the style sheets.
fn readable(page: &str) -> String {
    let (before, rest) = page.split_once("<style>").expect("a style");
    let (_, after) = rest.split_once("</style>").expect("its end");
    format!("{before}{after}").replace("><", ">\n<")
}

#[test]
fn the_page_of_a_small_sweep() {
    let (result, sweep) = some();
    insta::assert_snapshot!(readable(&rc25482_html(&result, &sweep)));
}

#[test]
fn every_caption_says_that_the_guest_was_emulated() {
    let (result, sweep) = some();
    assert!(result.is_emulated());
    let page = rc25482_html(&result, &sweep);
    let said = page.matches("ran under TCG emulation").count();
    assert_eq!(said, 1 + Figure::ALL.len(), "the warning and each caption");
    assert_eq!(page.matches("<svg").count(), 5);
    let kvm = GateResult { accelerator: Some("kvm".into()), ..result };
    assert!(!rc25482_html(&kvm, &sweep).contains("TCG"));
}

#[test]
fn rounds_and_spread_of_today_stand_beside_those_of_2014() {
    let (result, sweep) = some();
    let page = rc25482_html(&result, &sweep);
    // Native's rounds are 0.97 to 1.02 of 84,312 per second: their middle half.
    assert!(page.contains("84.3k/s<small>[83.5k, 84.3k], n = 5</small>"), "{page}");
    assert!(page.contains("<small>± 1.13, n = 10</small>") && page.contains("Today: 5 rounds"));
    assert!(page.contains("2014: logs of the authors, n = 10. Today: not measured."), "the second table");
}

#[test]
fn what_2014_does_not_give_is_not_given() {
    let (result, sweep) = some();
    let page = rc25482_html(&result, &sweep);
    assert!(page.contains("26.6k/s<small>n not given</small>"), "{page}");
    assert!(page.contains("2014, Docker NAT: about +100 %, n not given (report)"));
    assert!(page.contains("2014: report and logs of the authors, n = 10 or not given."), "PXZ has no trials");
    assert!(page.contains("2014: report, n not given. Today: 5 rounds."), "round trips and Redis");
    assert!(page.contains("2014: logs of the authors, n = 1. Today: 5 rounds."), "fio");
}

#[test]
fn a_table_has_its_note_too() {
    let (result, sweep) = some();
    let page = rc25482_html(&result, &sweep);
    for figure in Figure::ALL {
        assert!(figure.note().is_none_or(|note| page.contains(note)), "{}", figure.heading());
    }
}

#[test]
fn bulk_transfers_stand_at_line_rate_and_their_processor_time_stands_alone() {
    let (result, sweep) = some();
    let page = rc25482_html(&result, &sweep);
    let from = page.find("Network: bulk TCP").expect("the section");
    let bulk = &page[from..from + page[from..].find("</section>").expect("its end")];
    assert_eq!(bulk.matches("2014, Docker NAT: ~0, n not given (report)").count(), 2, "both ways: {bulk}");
    assert!(bulk.contains("today, docker+nat: +61 %"), "a higher cost is worse: {bulk}");
    assert!(bulk.contains("of that no figures of 2014 are at hand") && !bulk.contains("2014, Docker:"));
}

#[test]
fn an_empty_sweep_shows_2014_alone() {
    let (result, sweep) = measured(&[]);
    let page = rc25482_html(&result, &sweep);
    assert!(!page.contains("class=\"now\"><title>") && page.contains("class=\"then\"><title>"));
}

#[test]
fn nothing_is_loaded_and_hostile_names_are_shown() {
    let (mut result, sweep) = some();
    result.profile = "<script>alert(1)</script>\u{202e}".into();
    for cell in &mut result.cells {
        cell.unit = "<b>|\"</b>".into();
    }
    let page = rc25482_html(&result, &sweep);
    for bad in ["<script", "<b>|", "src=", "href=", "url(", "@import", "\u{202e}"] {
        assert!(!page.contains(bad), "{bad}");
    }
    assert!(page.contains("&lt;script&gt;"));
}
