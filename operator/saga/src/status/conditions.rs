//! The conditions of a status.

use comanda_crds::{ConditionType, Phase, Reason};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

use crate::device::KitchenState;
use crate::effect::Effect;
use crate::payment::RefundState;
use crate::record::{Direction, Record};

pub(super) fn milestones(record: &Record) -> Vec<Condition> {
    let mut conditions =
        vec![condition(ConditionType::Accepted, true, Reason::Claimed.name(), "The ledger holds the order.")];
    let mut milestone = |kind, reached: bool, reason: &str, message: &str| {
        if reached {
            conditions.push(condition(kind, true, reason, message));
        } else if let Some(fault) = &record.fault {
            conditions.push(condition(kind, false, fault.cause.name(), &fault.message));
        }
    };
    let succeeded = Reason::Succeeded.name();
    let validated = "Address, contact, prices and stock hold; the stock was reserved.";
    let (reason, message) = if record.doubts.is_empty() {
        (Reason::Succeeded, validated.to_owned())
    } else {
        (Reason::SucceededWithDoubts, format!("{validated} In doubt: {}", record.doubts.join(" ")))
    };
    milestone(ConditionType::Validated, record.is_done(Effect::Reserve), reason.name(), &message);
    let paid = record.payment.captured - record.payment.refunded > 0
        || record.payment.authorized > 0 && record.payment.refunded == 0;
    let (reason, message) = if record.payment.captured > 0 {
        (Reason::Captured, "The amount was captured.")
    } else {
        (Reason::Authorized, "The amount is held on the customer's card.")
    };
    milestone(ConditionType::Paid, paid, reason.name(), message);
    milestone(
        ConditionType::Notified,
        record.is_done(Effect::NotifyConfirmed),
        succeeded,
        "The customer was told that the order is confirmed.",
    );
    milestone(
        ConditionType::Prepared,
        record.kitchen.state == KitchenState::Ready,
        succeeded,
        "The food was ready.",
    );
    milestone(
        ConditionType::Delivered,
        record.phase == Phase::Delivered,
        succeeded,
        "The courier delivered the order.",
    );
    if record.direction == Direction::Undo {
        // A refund may have come back since.
        let kept = matches!(record.payment.refund, Some(RefundState::Failed | RefundState::Disputed));
        let done = record.phase.is_final() && record.abandoned.is_none() && !kept;
        let stall = record.stall.as_ref().filter(|stall| !stall.acknowledged);
        let (reason, message) = match (&record.abandoned, done) {
            (None, _) if let Some(stall) = stall => (stall.reason, stall.message.as_str()),
            (Some(why), _) => (Reason::Abandoned, why.as_str()),
            (None, true) => (Reason::Undone, "Everything that was done is undone."),
            (None, false) if record.phase.is_final() => {
                (Reason::RefundFailed, "The refund came back after it was made.")
            }
            (None, false) => (Reason::InProgress, "What was done is being undone."),
        };
        conditions.push(condition(ConditionType::Compensated, done, reason.name(), message));
    }
    conditions
}

/// `Finished` for scripts; `Ready`, `Reconciling` and `Stalled` for kstatus. A final phase is ready,
/// whatever it is, so that a declined card does not degrade a GitOps application for ever.
/// Source: <https://github.com/kubernetes-sigs/cli-utils/blob/master/pkg/kstatus/README.md>.
pub(super) fn kstatus(record: &Record, reason: &str, message: &str) -> Vec<Condition> {
    let phase = record.phase;
    let stalled = record.is_stalled();
    let ready = phase.is_final() && !stalled;
    let shown = if ready { phase.name() } else { reason };
    let mut conditions = vec![
        condition(
            ConditionType::Finished,
            phase.is_final(),
            if phase.is_final() { phase.name() } else { reason },
            message,
        ),
        condition(ConditionType::Ready, ready, shown, message),
    ];
    if stalled {
        conditions.push(condition(ConditionType::Stalled, true, reason, message));
    } else if !ready {
        conditions.push(condition(ConditionType::Reconciling, true, reason, message));
    }
    conditions
}

pub(super) fn condition(kind: ConditionType, status: bool, reason: &str, message: &str) -> Condition {
    Condition {
        type_: kind.name().to_owned(),
        status: if status { "True" } else { "False" }.to_owned(),
        reason: reason.to_owned(),
        message: message.to_owned(),
        last_transition_time: Time(Timestamp::UNIX_EPOCH),
        observed_generation: None,
    }
}
