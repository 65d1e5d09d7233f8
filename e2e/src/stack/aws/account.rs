//! Where ministack's resources are.

/// The region everything is in.
pub const REGION: &str = "us-east-1";
/// ministack's only account.
pub const ACCOUNT: &str = "000000000000";
