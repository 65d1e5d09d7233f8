//! Conditional writes of an order: what they demand, and what their refusals mean.

use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{CancellationReason, Put, TransactWriteItem, Update};
use comanda_saga::{Line, Record, StockChange};

use super::item::{Item, number, text};
use crate::adapters::aws::passes;
use crate::ports::LedgerError;

/// Nobody has claimed the order: there is no item, or one that the intake wrote for whoever comes.
pub(super) const FREE: &str = "attribute_not_exists(pk) OR attribute_not_exists(#owner)";

/// The version is the whole fence. Every write raises it, an adoption included, which raises the epoch
/// in the same write; so whoever still knows the current version knows owner, epoch and direction too,
/// and nobody else can write.
pub(super) const PREVIOUS: &str = "v = :previous";

pub(super) fn claim(table: &str, order: Item) -> TransactWriteItem {
    let put = Put::builder()
        .table_name(table)
        .set_item(Some(order))
        .condition_expression(FREE)
        .expression_attribute_names("#owner", "owner");
    transact(put)
}

pub(super) fn replace(table: &str, order: Item, next: &Record) -> TransactWriteItem {
    let put = Put::builder()
        .table_name(table)
        .set_item(Some(order))
        .condition_expression(PREVIOUS)
        .expression_attribute_values(":previous", number(next.version.saturating_sub(1)));
    transact(put)
}

pub(super) fn transact(put: aws_sdk_dynamodb::types::builders::PutBuilder) -> TransactWriteItem {
    TransactWriteItem::builder().put(put.build().expect("table and item are set")).build()
}

/// Moves the stock of one line. That it happens once follows from the record's version, which is in
/// the same transaction. A return to an article that left the catalogue makes a bare counter, which
/// the catalogue does not sell, rather than stopping the undo of an order.
pub(super) fn stock(record: &Record, line: &Line, change: StockChange) -> TransactWriteItem {
    let sku = super::catalogue::key(&record.identity.installation, &record.terms.store, &line.sku);
    let update = Update::builder()
        .table_name(&record.class.catalogue.table)
        .key("pk", text(sku))
        .expression_attribute_values(":quantity", number(line.quantity));
    let update = match change {
        StockChange::Take => update
            .update_expression("SET stock = stock - :quantity")
            .condition_expression("stock >= :quantity"),
        StockChange::Return | StockChange::None => update.update_expression("ADD stock :quantity"),
    };
    TransactWriteItem::builder().update(update.build().expect("table, key and expression are set")).build()
}

/// Why a write was not done, before it is known whether a conflict is with our own write.
pub(super) enum Refusal {
    /// The order's condition did not hold.
    Conflict,
    /// Something else.
    Other(LedgerError),
}

/// Why a transaction was cancelled, if it was. The order is its first item; `lines` follow it.
pub(super) fn transaction_refusal<R>(
    error: &SdkError<TransactWriteItemsError, R>,
    lines: &[Line],
) -> Option<Refusal> {
    match error.as_service_error() {
        Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) => {
            Some(judge(cancelled.cancellation_reasons(), lines))
        }
        _ => None,
    }
}

/// The order's own condition counts first: a repeated write of ours fails on it, and finds the stock
/// it has taken already gone. What neither condition explains passes by itself, when each of its codes does.
fn judge(reasons: &[CancellationReason], lines: &[Line]) -> Refusal {
    let failed = |reason: &CancellationReason| reason.code() == Some("ConditionalCheckFailed");
    if reasons.first().is_some_and(failed) {
        return Refusal::Conflict;
    }
    let skus: Vec<String> = reasons
        .iter()
        .skip(1)
        .zip(lines)
        .filter(|(reason, _)| failed(reason))
        .map(|(_, line)| line.sku.clone())
        .collect();
    Refusal::Other(if skus.is_empty() { cancelled(reasons) } else { LedgerError::OutOfStock { skus } })
}

/// A transaction that no condition of ours cancelled.
pub(super) fn cancelled(reasons: &[CancellationReason]) -> LedgerError {
    let others = || reasons.iter().filter(|reason| reason.code() != Some("None"));
    let passes = others().all(|reason| reason.code().is_none_or(passes));
    let told: Vec<String> = others().map(said).collect();
    let why = format!("transaction cancelled: {}", told.join(", "));
    if passes { LedgerError::Unreachable(why) } else { LedgerError::Refused(why) }
}

fn said(reason: &CancellationReason) -> String {
    let code = reason.code().unwrap_or("no code");
    reason.message().map_or_else(|| code.to_owned(), |message| format!("{code}: {message}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reasons(codes: &[&str]) -> Vec<CancellationReason> {
        codes.iter().map(|code| CancellationReason::builder().code(*code).build()).collect()
    }

    fn lines(skus: &[&str]) -> Vec<Line> {
        skus.iter().map(|sku| Line { sku: (*sku).to_owned(), quantity: 1, agreed_price: None }).collect()
    }

    #[test]
    fn stock_that_does_not_cover_the_order_is_named_and_nothing_else_is() {
        let refusal = judge(
            &reasons(&["None", "None", "ConditionalCheckFailed", "ConditionalCheckFailed"]),
            &lines(&["pizza", "water", "wine"]),
        );
        let Refusal::Other(error) = refusal else { panic!("a conflict") };
        assert_eq!(error, LedgerError::OutOfStock { skus: vec!["water".to_owned(), "wine".to_owned()] });
    }

    #[test]
    fn a_conflict_on_the_order_counts_before_missing_stock() {
        let refusal =
            judge(&reasons(&["ConditionalCheckFailed", "ConditionalCheckFailed"]), &lines(&["pizza"]));
        assert!(matches!(refusal, Refusal::Conflict));
    }

    #[test]
    fn two_orders_after_one_article_at_once_are_tried_again() {
        let refusal = judge(&reasons(&["None", "TransactionConflict"]), &lines(&["pizza"]));
        let Refusal::Other(error) = refusal else { panic!("a conflict") };
        assert_eq!(error, LedgerError::Unreachable("transaction cancelled: TransactionConflict".to_owned()));
    }

    #[test]
    fn a_transaction_that_cannot_succeed_as_things_are_is_refused() {
        let refusal = judge(&reasons(&["TransactionConflict", "ValidationError"]), &lines(&["pizza"]));
        let Refusal::Other(error) = refusal else { panic!("a conflict") };
        let why = "transaction cancelled: TransactionConflict, ValidationError";
        assert_eq!(error, LedgerError::Refused(why.to_owned()));
    }
}
