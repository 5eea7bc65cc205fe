use super::*;
use crate::command::CommandId as Id;
use crate::status::CommandStatus as Status;

#[expect(clippy::disallowed_methods, reason = "an Instant has no other origin; only differences are tested")]
fn origin() -> Instant {
    Instant::now()
}

const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

fn session(side: Side) -> (Session, Instant) {
    let now = origin();
    (Session::new(side, TimerOptions::default(), now), now)
}

fn in_state(side: Side, state: State) -> Session {
    let (mut session, now) = session(side);
    match state {
        State::Open => {}
        State::BoundTx => session.bound(BindMode::Transmitter),
        State::BoundRx => session.bound(BindMode::Receiver),
        State::BoundTrx => session.bound(BindMode::Transceiver),
        State::Unbinding => {
            session.bound(BindMode::Transceiver);
            session.unbind_sent(now);
        }
        State::Closed => session.closed(),
    }
    session
}

fn judge(session: &Session, command_id: Id) -> Verdict {
    let command_status = Status::ESME_ROK;
    session.judge(&Header { command_length: 16, command_id, command_status, sequence_number: 5 })
}

const STATES: [State; 6] =
    [State::Open, State::BoundTx, State::BoundRx, State::BoundTrx, State::Unbinding, State::Closed];

/// Requests by row, [`STATES`] by column: `+` passes, `.` does not (2.3, tables 2-1 to 2-3).
const FROM_ESME: [(Id, &str); 13] = [
    (Id::BIND_TRANSMITTER, "+....."),
    (Id::BIND_RECEIVER, "+....."),
    (Id::BIND_TRANSCEIVER, "+....."),
    (Id::OUTBIND, "......"),
    (Id::UNBIND, ".++++."),
    (Id::SUBMIT_SM, ".+.+.."),
    (Id::SUBMIT_MULTI, ".+.+.."),
    (Id::DATA_SM, ".+.+.."),
    (Id::QUERY_SM, ".+.+.."),
    (Id::CANCEL_SM, ".+.+.."),
    (Id::REPLACE_SM, ".+.+.."),
    (Id::DELIVER_SM, "......"),
    (Id::ENQUIRE_LINK, "+++++."),
];
const FROM_SMSC: [(Id, &str); 9] = [
    (Id::BIND_TRANSCEIVER, "......"),
    (Id::OUTBIND, "+....."),
    (Id::UNBIND, ".++++."),
    (Id::SUBMIT_SM, "......"),
    (Id::DATA_SM, "..++.."),
    (Id::DELIVER_SM, "..++.."),
    (Id::ALERT_NOTIFICATION, "..++.."),
    (Id::QUERY_SM, "......"),
    (Id::ENQUIRE_LINK, "+++++."),
];

#[test]
fn requests_pass_as_the_matrix_says() {
    let rows =
        FROM_ESME.iter().map(|row| (Side::Smsc, row)).chain(FROM_SMSC.iter().map(|row| (Side::Esme, row)));
    for (side, (command_id, row)) in rows {
        for (state, cell) in STATES.into_iter().zip(row.chars()) {
            let verdict = judge(&in_state(side, state), *command_id);
            assert_eq!(
                verdict == Verdict::Accept,
                cell == '+',
                "{side:?} {state:?} {command_id}: {verdict:?}"
            );
        }
    }
}

#[test]
fn a_refusal_carries_the_requests_own_response() {
    let cases = [
        (Side::Smsc, State::Open, Id::SUBMIT_SM, Id::SUBMIT_SM_RESP, Status::ESME_RINVBNDSTS),
        (Side::Smsc, State::BoundRx, Id::SUBMIT_SM, Id::SUBMIT_SM_RESP, Status::ESME_RINVBNDSTS),
        (Side::Smsc, State::BoundTrx, Id::DELIVER_SM, Id::DELIVER_SM_RESP, Status::ESME_RINVBNDSTS),
        (Side::Smsc, State::Unbinding, Id::SUBMIT_SM, Id::SUBMIT_SM_RESP, Status::ESME_RINVBNDSTS),
        (Side::Smsc, State::BoundTx, Id::BIND_RECEIVER, Id::BIND_RECEIVER_RESP, Status::ESME_RALYBND),
        (Side::Smsc, State::Unbinding, Id::BIND_RECEIVER, Id::BIND_RECEIVER_RESP, Status::ESME_RINVBNDSTS),
        (Side::Smsc, State::Open, Id::UNBIND, Id::UNBIND_RESP, Status::ESME_RINVBNDSTS),
        (Side::Esme, State::BoundTx, Id::DELIVER_SM, Id::DELIVER_SM_RESP, Status::ESME_RINVBNDSTS),
        (Side::Esme, State::BoundTrx, Id::BIND_RECEIVER, Id::BIND_RECEIVER_RESP, Status::ESME_RINVBNDSTS),
    ];
    for (side, state, request, command_id, command_status) in cases {
        let expected = Verdict::Refuse { command_id, command_status };
        assert_eq!(judge(&in_state(side, state), request), expected, "{side:?} {state:?} {request}");
    }
}

#[test]
fn unknown_commands_get_generic_nack_but_no_response_is_ever_answered() {
    let bound = in_state(Side::Smsc, State::BoundTrx);
    assert_eq!(judge(&bound, Id(0x99)), Verdict::Nack(Status::ESME_RINVCMDID));
    assert_eq!(judge(&bound, Id(0x0111)), Verdict::Nack(Status::ESME_RINVCMDID), "broadcast_sm of 5.0");
    assert_eq!(judge(&bound, Id(0x8000_0099)), Verdict::Ignore);
    assert_eq!(judge(&bound, Id::ALERT_NOTIFICATION), Verdict::Nack(Status::ESME_RINVBNDSTS));
    assert_eq!(judge(&in_state(Side::Smsc, State::Closed), Id(0x99)), Verdict::Ignore);
}

#[test]
fn responses_are_for_requests_that_can_have_been_sent() {
    let (yes, no) = (Verdict::Accept, Verdict::Ignore);
    let cases = [
        (Side::Smsc, State::BoundTrx, Id::DELIVER_SM_RESP, yes),
        (Side::Smsc, State::Unbinding, Id::DELIVER_SM_RESP, yes),
        (Side::Smsc, State::BoundTx, Id::DELIVER_SM_RESP, no),
        (Side::Smsc, State::BoundTrx, Id::SUBMIT_SM_RESP, no),
        (Side::Smsc, State::Open, Id::BIND_TRANSCEIVER_RESP, no),
        (Side::Smsc, State::Open, Id::GENERIC_NACK, no),
        (Side::Smsc, State::BoundTx, Id::GENERIC_NACK, yes),
        (Side::Smsc, State::BoundTx, Id::UNBIND_RESP, no),
        (Side::Smsc, State::Unbinding, Id::UNBIND_RESP, yes),
        (Side::Esme, State::Open, Id::BIND_TRANSCEIVER_RESP, yes),
        (Side::Esme, State::Open, Id::GENERIC_NACK, yes),
        (Side::Esme, State::BoundTrx, Id::BIND_TRANSCEIVER_RESP, no),
        (Side::Esme, State::BoundTrx, Id::SUBMIT_SM_RESP, yes),
        (Side::Esme, State::Unbinding, Id::SUBMIT_SM_RESP, yes),
        (Side::Esme, State::BoundRx, Id::SUBMIT_SM_RESP, no),
        (Side::Esme, State::Closed, Id::SUBMIT_SM_RESP, no),
        (Side::Esme, State::BoundRx, Id::ENQUIRE_LINK_RESP, yes),
    ];
    for (side, state, response, expected) in cases {
        assert_eq!(judge(&in_state(side, state), response), expected, "{side:?} {state:?} {response}");
    }
}

#[test]
fn the_bind_deadline_ends_with_the_bind() {
    let (mut session, start) = session(Side::Smsc);
    assert_eq!(session.next_deadline(), Some(start + secs(10)));
    assert_eq!(session.poll(start + secs(9)), None);
    session.on_received(start + secs(9));
    assert_eq!(session.poll(start + secs(10)), Some(Due::BindDeadline), "no PDU but a bind counts");
    session.bound(BindMode::Transmitter);
    assert_eq!(session.poll(start + secs(10)), None);
}

#[test]
fn silence_is_enquired_twice_and_then_ends() {
    let (mut session, start) = session(Side::Smsc);
    session.bound(BindMode::Transceiver);
    session.on_received(start);
    assert_eq!(session.poll(start + secs(29)), None);
    assert_eq!(session.poll(start + secs(30)), Some(Due::SendEnquireLink));
    assert_eq!(session.poll(start + secs(31)), Some(Due::SendEnquireLink), "due until it is sent");
    session.on_sent_enquire_link(7, start + secs(31));
    assert_eq!(session.last_enquire_link(), Some(7));
    assert_eq!(session.next_deadline(), Some(start + secs(41)));
    assert_eq!(session.poll(start + secs(41)), Some(Due::SendEnquireLink));
    session.on_sent_enquire_link(8, start + secs(41));
    assert_eq!(session.poll(start + secs(50)), None);
    assert_eq!(session.poll(start + secs(51)), Some(Due::PeerDead));
}

#[test]
fn any_pdu_answers_an_enquire_link() {
    let (mut session, start) = session(Side::Esme);
    session.bound(BindMode::Transmitter);
    session.on_received(start);
    session.on_sent_enquire_link(1, start + secs(30));
    session.on_sent_enquire_link(2, start + secs(40));
    session.on_received(start + secs(49));
    assert_eq!(session.poll(start + secs(78)), None);
    assert_eq!(session.poll(start + secs(79)), Some(Due::SendEnquireLink));
    session.on_sent_enquire_link(3, start + secs(79));
    assert_eq!(session.poll(start + secs(89)), Some(Due::SendEnquireLink), "misses count anew");
}

#[test]
fn inactivity_counts_from_the_last_pdu_that_is_more_than_a_sign_of_life() {
    for (command_id, active) in [
        (Id::SUBMIT_SM, true),
        (Id::DELIVER_SM_RESP, true),
        (Id::GENERIC_NACK, true),
        (Id::ENQUIRE_LINK, false),
        (Id::ENQUIRE_LINK_RESP, false),
    ] {
        let now = origin();
        let mut session = Session::new(Side::Smsc, TimerOptions::default(), now);
        session.bound(BindMode::Receiver);
        session.on_pdu(command_id, now + secs(290));
        assert_eq!(session.poll(now + secs(299)), None, "{command_id}: it proves the peer alive");
        let due = if active { None } else { Some(Due::Inactive) };
        assert_eq!(session.poll(now + secs(300)), due, "{command_id}");
    }
}

#[test]
fn inactivity_can_be_off() {
    let now = origin();
    for off in [None, Some(Duration::ZERO)] {
        let options = TimerOptions { enquire_link: None, inactivity: off, ..TimerOptions::default() };
        let mut session = Session::new(Side::Smsc, options, now);
        session.bound(BindMode::Receiver);
        assert_eq!(session.next_deadline(), None, "{off:?}");
    }
}

#[test]
fn zero_misses_count_as_one_and_endless_timers_never_fire() {
    let now = origin();
    let options = TimerOptions {
        enquire_link_misses_max: 0,
        inactivity: Some(Duration::MAX),
        session_init: Duration::MAX,
        ..TimerOptions::default()
    };
    let mut session = Session::new(Side::Smsc, options, now);
    assert_eq!(session.next_deadline(), None);
    session.bound(BindMode::Receiver);
    session.on_sent_enquire_link(1, now);
    assert_eq!(session.poll(now + secs(10)), Some(Due::PeerDead));
}

#[test]
fn an_unbind_has_one_deadline() {
    let (mut session, start) = session(Side::Smsc);
    session.bound(BindMode::Transceiver);
    session.unbind_sent(start + secs(1));
    session.unbind_received(start + secs(3));
    assert_eq!(session.state(), State::Unbinding);
    assert_eq!(session.next_deadline(), Some(start + secs(6)));
    assert_eq!(session.poll(start + secs(6)), Some(Due::UnbindDeadline));
    session.closed();
    session.unbind_received(start + secs(7));
    assert_eq!((session.state(), session.next_deadline()), (State::Closed, None));
}
