use super::layout::Layout;
use super::*;

fn diagram() -> Diagram {
    let arrow = |from, to, sent_us, arrived_us, label: &str| Arrow {
        from,
        to,
        sent_us,
        arrived_us,
        word: label.split(' ').next().unwrap_or_default().to_owned(),
        label: label.to_owned(),
    };
    Diagram {
        format: 1,
        title: "a <test>".to_owned(),
        lanes: vec!["n1".to_owned(), "n2".to_owned()],
        arrows: vec![
            arrow(0, 1, 1_000, Some(1_900), "Append { entries: 1 }"),
            arrow(1, 0, 2_000, None, "Appended"),
            arrow(1, 0, 9_000_000, None, "after the window"),
        ],
        marks: vec![Mark {
            lane: Some(1),
            time_us: 1_950,
            kind: MarkKind::Disk,
            text: "synced 1".to_owned(),
        }],
        states: vec![
            State {
                lane: 0,
                from_us: 10,
                kind: StateKind::Leads,
            },
            State {
                lane: 1,
                from_us: 1_500,
                kind: StateKind::Follows,
            },
        ],
        from_us: 1_000,
        to_us: 500_000,
    }
}

#[test]
fn a_picture_has_what_lies_in_its_window() {
    let svg = diagram().svg();
    assert!(svg.starts_with("<svg ") && svg.trim_end().ends_with("</svg>"));
    for part in [
        "a &lt;test&gt;",
        ">n1<",
        "Append { entries: 1 }",
        "synced 1",
        "class=\"leads\"",
        "×",
    ] {
        assert!(svg.contains(part), "{part} is missing: {svg}");
    }
    assert!(!svg.contains("after the window"), "{svg}");
    assert_eq!(svg.matches("marker-end").count(), 1, "one arrow arrives");
}

#[test]
fn time_runs_down_and_a_silence_is_short() {
    let diagram = diagram();
    let layout = Layout::of(&diagram);
    let places: Vec<_> = layout.places.iter().collect();
    let times: Vec<_> = places.iter().map(|&(&time, _)| time).collect();
    assert_eq!(times, [1_000, 1_500, 1_900, 1_950, 2_000, 500_000]);
    for pair in places.windows(2) {
        let step = pair[1].1 - pair[0].1;
        assert!((12.0..=36.0).contains(&step), "{pair:?}");
    }
}

#[test]
fn no_label_lies_on_another() {
    let mut dense = Diagram {
        lanes: (1..=5).map(|number| format!("n{number}")).collect(),
        to_us: 1_000,
        ..Diagram::default()
    };
    for time in 0..60 {
        let from = time as usize % 5;
        for to in (0..5).filter(|&to| to != from) {
            dense.arrows.push(Arrow {
                from,
                to,
                sent_us: time / 3,
                arrived_us: Some(time / 3 + 2),
                word: format!("AVeryLongWord{to}"),
                label: format!("says {to}"),
            });
        }
        for kind in [MarkKind::Disk, MarkKind::Applied, MarkKind::Fault] {
            dense.marks.push(Mark {
                lane: Some(from),
                time_us: time / 3,
                kind,
                text: "a mark with a very long text of many words".to_owned(),
            });
        }
    }
    let layout = Layout::of(&dense);
    assert!(layout.labels.len() > 300, "{}", layout.labels.len());
    let boxes: Vec<_> = layout
        .labels
        .iter()
        .map(|label| (label.left(), label.right(), label.y))
        .collect();
    for (number, one) in boxes.iter().enumerate() {
        for other in &boxes[..number] {
            let apart = one.0 >= other.1 || other.0 >= one.1 || (one.2 - other.2).abs() >= 9.0;
            assert!(apart, "{one:?} and {other:?}");
        }
    }
}

#[test]
fn what_is_said_to_all_alike_has_one_label() {
    let arrow = |to| Arrow {
        from: 0,
        to,
        sent_us: 5,
        arrived_us: None,
        word: "Append".to_owned(),
        label: "Append 1".to_owned(),
    };
    let diagram = Diagram {
        lanes: ["n1", "n2", "n3"].map(str::to_owned).to_vec(),
        arrows: vec![arrow(1), arrow(2)],
        to_us: 10,
        ..Diagram::default()
    };
    let svg = diagram.svg();
    assert!(svg.contains(">1-2 Append<"), "{svg}");
    assert!(svg.contains("n1 to n2, n3"), "{svg}");
}

#[test]
fn nothing_is_a_picture_too() {
    assert!(Diagram::default().svg().ends_with("</svg>\n"));
}
