//! The services behind the [`ports`](crate::ports): DynamoDB, Stripe, SNS, and MQTT by AWS IoT Core.

pub mod aws;
pub mod dynamodb;
pub mod iot;
pub mod sns;
pub mod stripe;
