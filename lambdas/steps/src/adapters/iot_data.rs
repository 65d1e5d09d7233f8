//! Commands to devices over HTTPS, for whoever holds no connection to the broker: the IoT data plane.

use async_trait::async_trait;
use aws_sdk_iotdataplane::Client;
use aws_sdk_iotdataplane::primitives::Blob;

use super::aws::describe;
use crate::ports::{DeviceError, Devices};

/// The IoT data plane, by a client of the account's endpoint.
#[derive(Clone, Debug)]
pub struct IotData {
    client: Client,
}

impl IotData {
    /// By a client.
    pub fn new(client: Client) -> Self {
        Self { client }
    }
}

#[async_trait]
impl Devices for IotData {
    async fn send(&self, topic: &str, payload: Vec<u8>) -> Result<(), DeviceError> {
        let request = self.client.publish().topic(topic).qos(1).payload(Blob::new(payload));
        request.send().await.map(|_| ()).map_err(|error| DeviceError(describe(&error)))
    }
}
