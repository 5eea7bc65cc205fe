//! Which PDU may pass in which state (2.3, tables 2-1 to 2-3).

use super::{Side, State, Verdict};
use crate::command::CommandId;
use crate::status::CommandStatus;

/// Judges a PDU from the peer of `side`.
pub(super) fn judge(side: Side, state: State, command_id: CommandId) -> Verdict {
    if command_id.is_response() {
        return judge_response(side, state, command_id);
    }
    if state == State::Closed {
        return Verdict::Ignore;
    }
    if !command_id.is_known() {
        return Verdict::Nack(CommandStatus::ESME_RINVCMDID);
    }
    let peer = match side {
        Side::Esme => Side::Smsc,
        Side::Smsc => Side::Esme,
    };
    let bind_again = command_id.is_bind() && side == Side::Smsc && state.is_bound();
    if bind_again {
        return refuse(command_id, CommandStatus::ESME_RALYBND);
    }
    if allows(peer, state, command_id) {
        return Verdict::Accept;
    }
    refuse(command_id, CommandStatus::ESME_RINVBNDSTS)
}

/// Whether `sender` may send this request in `state`.
fn allows(sender: Side, state: State, command_id: CommandId) -> bool {
    let transmits = matches!(state, State::BoundTx | State::BoundTrx);
    let receives = matches!(state, State::BoundRx | State::BoundTrx);
    match command_id {
        CommandId::BIND_RECEIVER | CommandId::BIND_TRANSMITTER | CommandId::BIND_TRANSCEIVER => {
            sender == Side::Esme && state == State::Open
        }
        CommandId::OUTBIND => sender == Side::Smsc && state == State::Open,
        CommandId::UNBIND => state.is_bound() || state == State::Unbinding,
        // 3.4 lists bound states only; 5.0 (2.4) allows it before the bind too, and peers do send it.
        CommandId::ENQUIRE_LINK => state != State::Closed,
        CommandId::SUBMIT_SM
        | CommandId::SUBMIT_MULTI
        | CommandId::QUERY_SM
        | CommandId::CANCEL_SM
        | CommandId::REPLACE_SM => sender == Side::Esme && transmits,
        CommandId::DELIVER_SM | CommandId::ALERT_NOTIFICATION => sender == Side::Smsc && receives,
        CommandId::DATA_SM => match sender {
            Side::Esme => transmits,
            Side::Smsc => receives,
        },
        _ => false,
    }
}

/// A response is never answered, whatever is wrong with it: two peers would nack each other for ever.
fn judge_response(side: Side, state: State, command_id: CommandId) -> Verdict {
    if solicited(side, state, command_id) { Verdict::Accept } else { Verdict::Ignore }
}

/// Whether a request that `side` can have sent by now has this response.
fn solicited(side: Side, state: State, command_id: CommandId) -> bool {
    let was_bound = state.is_bound() || state == State::Unbinding;
    match command_id {
        CommandId::BIND_RECEIVER_RESP
        | CommandId::BIND_TRANSMITTER_RESP
        | CommandId::BIND_TRANSCEIVER_RESP => side == Side::Esme && state == State::Open,
        CommandId::GENERIC_NACK => was_bound || (side == Side::Esme && state == State::Open),
        CommandId::ENQUIRE_LINK_RESP => state != State::Closed,
        CommandId::UNBIND_RESP => state == State::Unbinding,
        CommandId::SUBMIT_SM_RESP
        | CommandId::SUBMIT_MULTI_RESP
        | CommandId::QUERY_SM_RESP
        | CommandId::CANCEL_SM_RESP
        | CommandId::REPLACE_SM_RESP => side == Side::Esme && was_bound && state != State::BoundRx,
        CommandId::DELIVER_SM_RESP => side == Side::Smsc && was_bound && state != State::BoundTx,
        CommandId::DATA_SM_RESP => was_bound,
        _ => false,
    }
}

fn refuse(command_id: CommandId, command_status: CommandStatus) -> Verdict {
    match command_id {
        // The two requests without a response of their own.
        CommandId::OUTBIND | CommandId::ALERT_NOTIFICATION => Verdict::Nack(command_status),
        _ => Verdict::Refuse { command_id: command_id.response(), command_status },
    }
}
