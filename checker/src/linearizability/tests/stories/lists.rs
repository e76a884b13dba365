//! What is told of lists.

use partita_history::Value;

use super::{story, told_from};

/// The same of one with too many operations for that.
fn story_of_many(model: &str, name: &str, events: &str) -> String {
    let anomaly = told_from(model, Value::Null, events);
    assert!(!anomaly.confirmed);
    assert_eq!(anomaly.name, name, "{}", anomaly.story);
    anomaly.story
}

#[test]
fn lists() {
    let append = "10 1 invoke append 7; 11 2 invoke append 9; 20 1 ok append 7; 30 2 ok append 9; ";
    let told = story(
        "list",
        "incompatible order",
        &[
            append,
            "500 3 invoke read; 501 4 invoke read; 510 3 ok read [7,9]; 511 4 ok read [9,7]",
        ]
        .concat(),
    );
    assert_eq!(
        told,
        "At 0.510 s n3 answered client 3 that list = [7, 9], and at 0.511 s n4 answered client 4 that list = [9, 7]: from \
         item 1 on they differ (7 and 9), so neither list can have grown into the other."
    );
    let open = "10 1 invoke append 7; 100 3 invoke read; 110 3 ok read [7]; 490 4 invoke read; 500 4 ok read []; 600 1 ok append 7";
    let told = story("list", "list became shorter", open);
    assert!(told.contains("380 ms before another read began"), "{told}");
    story("list", "phantom item", "500 3 invoke read; 510 3 ok read [7]");
    story(
        "list",
        "duplicate item",
        "10 1 invoke append 7; 500 3 invoke read; 510 3 ok read [7,7]",
    );
    let ordered = "10 1 invoke append 7; 20 1 ok append 7; 30 2 invoke append 9; 40 2 ok append 9; ";
    story(
        "list",
        "append order inversion",
        &[ordered, "500 3 invoke read; 510 3 ok read [9,7]"].concat(),
    );
    let told = story(
        "list",
        "lost write",
        &[ordered, "500 3 invoke read; 510 3 ok read [7]"].concat(),
    );
    assert!(
        told.contains("without 9; but append 9") && told.contains("no read ever showed it"),
        "{told}"
    );
    let told = story(
        "list",
        "stale read",
        &[
            ordered,
            "500 3 invoke read; 501 4 invoke read; 510 3 ok read [7]; 520 4 ok read [7,9]",
        ]
        .concat(),
    );
    assert!(told.contains("client 4 (via n4) saw it at 0.520 s"), "{told}");
}

/// What most runs that find something show, and what a proof by trying every order can not reach.
#[test]
fn a_long_list_that_misses_an_item_has_a_name() {
    let appends: String = (0..60)
        .map(|i| {
            format!(
                "{} 1 invoke append {i}; {} 1 ok append {i}; ",
                10 * i + 1,
                10 * i + 5
            )
        })
        .collect();
    let shown: Vec<String> = (0..60).filter(|i| *i != 59).map(|i| i.to_string()).collect();
    let read = format!("900 3 invoke read; 910 3 ok read [{}]", shown.join(","));
    let told = story_of_many("list", "lost write", &(appends + &read));
    assert!(told.contains("without 59"), "{told}");
}

#[test]
fn two_long_lists_in_different_orders_have_a_name() {
    // All at the same time: any order would do.
    let begun: String = (0..60)
        .map(|i| format!("{} {i} invoke append {i}; ", i + 1))
        .collect();
    let ended: String = (0..60)
        .map(|i| format!("{} {i} ok append {i}; ", i + 100))
        .collect();
    let shown: Vec<String> = (0..60).map(|i| i.to_string()).collect();
    let mut swapped = shown.clone();
    swapped.swap(30, 31);
    let reads = format!(
        "800 63 invoke read; 810 63 ok read [{}]; 900 64 invoke read; 910 64 ok read [{}]",
        shown.join(","),
        swapped.join(",")
    );
    let told = story_of_many("list", "incompatible order", &(begun + &ended + &reads));
    assert!(told.contains("from item 31 on they differ"), "{told}");
}
