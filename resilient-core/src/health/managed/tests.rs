use super::*;

const GOOD_FOR: Duration = Duration::from_secs(5);

fn at(start: Instant) -> impl Fn(u64) -> Instant {
    move |seconds| start + Duration::from_secs(seconds)
}

#[test]
fn what_the_next_use_waits_for() {
    let start = Instant::now();
    let at = at(start);
    let session = Managed::new(start);
    assert_eq!(session.need(start, GOOD_FOR), Need::Check, "new");
    session.verified(start);
    assert_eq!(session.need(at(4), GOOD_FOR), Need::Nothing);
    session.begin(at(4), "A::b");
    session.end(at(6), End::Committed);
    assert_eq!(session.need(at(10), GOOD_FOR), Need::Nothing, "it was used");
    assert_eq!(session.need(at(11), GOOD_FOR), Need::Check);
    session.begin(at(11), "A::b");
    session.end(at(11), End::Cancelled);
    assert_eq!(session.need(at(11), GOOD_FOR), Need::FreshCheck);
    session.begin(at(11), "A::b");
    session.end(at(11), End::Failed { lost: true });
    session.begin(at(11), "A::b");
    session.end(at(11), End::Cancelled);
    assert_eq!(session.need(at(11), GOOD_FOR), Need::Recovery, "still lost");
    session.recovered(at(12));
    session.begin(at(12), "A::b");
    session.end(at(12), End::Failed { lost: false });
    assert_eq!(session.need(at(12), GOOD_FOR), Need::Nothing);
    assert!(session.expire() && !session.expire());
    session.verified(at(13));
    session.failed_check();
    assert_eq!(session.need(at(13), GOOD_FOR), Need::Another, "for good");
    let report = session.report("cart", "main", at(13));
    assert_eq!(
        (
            report.committed,
            report.failed,
            report.cancelled,
            report.recovered
        ),
        (1, 2, 2, 1)
    );
    assert_eq!(report.method, Some("A::b"));
}

#[test]
fn it_is_warned_of_once_and_ended_but_never_under_its_work() {
    let start = Instant::now();
    let at = at(start);
    let limits = SessionLimits::of(Duration::from_secs(100)).idle(Duration::from_secs(10));
    let session = Managed::new(start);
    let sweep = |seconds| session.sweep(at(seconds), limits).map(|(what, _)| what);
    assert_eq!(sweep(7), None);
    assert_eq!(sweep(8), Some(Overdue::Warned));
    assert_eq!(sweep(9), None, "said once");
    session.begin(at(9), "A::b");
    assert_eq!(sweep(99), None, "it works");
    session.end(at(99), End::Committed);
    assert_eq!(sweep(99), Some(Overdue::Warned), "of its age");
    session.refresh(at(99));
    assert_eq!(sweep(100), None);
    assert_eq!(sweep(107), Some(Overdue::Warned));
    assert_eq!(sweep(109), Some(Overdue::Ended));
    assert_eq!(sweep(200), None, "it has ended");
}

#[test]
fn an_unknown_name_is_told_the_known_ones() {
    let text = |known: &[&str]| unknown_database("report", known).to_string();
    assert_eq!(
        text(&["main", "reports"]),
        "there is no database \"report\": registered are \"main\", \"reports\"; did you mean \
         \"reports\"?"
    );
    assert_eq!(
        text(&["main"]),
        "there is no database \"report\": registered are \"main\""
    );
    assert!(text(&[]).contains("none is registered"));
}
