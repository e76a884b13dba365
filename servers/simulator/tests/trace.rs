//! The readable trace.

use partita_protocols::Defect;
use partita_simulator::{Extras, Happened, Options, Simulator};

#[test]
fn a_trace_changes_nothing_and_ends_with_what_was_violated() {
    let options = Options {
        defect: Defect::by_name("early-acks").ok(),
        ..Options::default()
    };
    for simulator in Simulator::ALL.iter().filter(|it| it.name == "raft") {
        let report = (0..)
            .map(|seed| (simulator.simulate)(seed, &options))
            .find(|report| report.violation.is_some())
            .expect("a seed that finds it");
        let traced = || {
            let extras = Extras {
                traced: true,
                ..Extras::default()
            };
            (simulator.simulate_with)(report.seed, &options, extras)
        };
        let recorded = traced();
        assert_eq!(recorded.report, report);
        let last = recorded.events.last().expect("events");
        assert!(matches!(last.what, Happened::Violated { .. }), "{last}");
        assert!(recorded.events.is_sorted_by_key(|event| event.time_us));
        let messages = |wanted: fn(&Happened) -> bool| {
            let events = recorded.events.iter();
            events.filter(|event| wanted(&event.what)).count()
        };
        let sent = messages(|what| matches!(what, Happened::Sent { .. }));
        let arrived = messages(|what| matches!(what, Happened::Delivered { .. }));
        assert!(sent > 100 && arrived > 100, "{sent} sent, {arrived} arrived");
        assert!(
            recorded
                .events
                .iter()
                .all(|event| !event.to_string().contains('\n'))
        );
        assert_eq!(traced().events, recorded.events, "twice the same");
    }
}
