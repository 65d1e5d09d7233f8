//! How AWS is called, and what its errors mean.

use std::time::Duration;

use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig, retry::RetryConfig};
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};

/// Longest time a call may take, connecting included. The SDK has no such limit by itself.
const CALL: Duration = Duration::from_secs(5);
/// Longest time a connection may take.
const CONNECT: Duration = Duration::from_secs(2);

/// The SDK's configuration: region of the class, or the environment's; credentials and endpoint from
/// the environment. It never retries: a retried write hides that the first answer was lost, and who
/// retries is decided in one place, which is not here.
pub async fn config(region: Option<&str>) -> SdkConfig {
    let timeouts = TimeoutConfig::builder().operation_timeout(CALL).connect_timeout(CONNECT).build();
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .retry_config(RetryConfig::disabled())
        .timeout_config(timeouts);
    if let Some(region) = region {
        loader = loader.region(Region::new(region.to_owned()));
    }
    loader.load().await
}

/// What went wrong, in a line: a service's code and sentence, or why there was no answer.
pub(super) fn describe<E, R>(error: &SdkError<E, R>) -> String
where
    E: ProvideErrorMetadata,
{
    match error {
        SdkError::ServiceError(context) => {
            let service = context.err();
            let (code, message) = (service.code().unwrap_or("error"), service.message().unwrap_or_default());
            format!("{code}: {message}")
        }
        SdkError::TimeoutError(_) => format!("no answer within {} seconds", CALL.as_secs()),
        SdkError::DispatchFailure(failure) => match failure.as_connector_error() {
            Some(connector) => format!("no connection: {}", innermost(connector)),
            None => "no connection".to_owned(),
        },
        SdkError::ResponseError(_) => "an answer that cannot be read".to_owned(),
        SdkError::ConstructionFailure(_) => {
            "the request could not be made: check region and credentials".to_owned()
        }
        _ => "an error of a new kind".to_owned(),
    }
}

/// True for an error that comes again until somebody changes something: the service refuses what it is asked.
pub(super) fn lasts<E: ProvideErrorMetadata>(error: &SdkError<E>) -> bool {
    match error {
        SdkError::ServiceError(context) => {
            let refuses = context.raw().status().is_client_error();
            refuses && !context.err().code().is_some_and(passes)
        }
        SdkError::ConstructionFailure(_) => true,
        _ => false,
    }
}

/// True for the codes of refusals that pass by themselves, in answers and in the reasons of a cancelled transaction:
/// it has too much to do, or the credentials are being renewed.
/// Source: <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html>.
pub(super) fn passes(code: &str) -> bool {
    matches!(
        code,
        "ExpiredTokenException"
            | "InvalidSignatureException"
            | "ProvisionedThroughputExceeded"
            | "ProvisionedThroughputExceededException"
            | "LimitExceededException"
            | "RequestExpired"
            | "RequestLimitExceeded"
            | "ReplicatedWriteConflictException"
            | "ThrottlingError"
            | "ThrottlingException"
            | "TransactionConflict"
            | "TransactionConflictException"
            | "TransactionInProgressException"
            | "UnrecognizedClientException"
    )
}

/// The cause at the end of the chain: `connection refused` rather than `dispatch failure`.
fn innermost(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}
