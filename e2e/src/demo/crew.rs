//! The kitchens and couriers of the demo.

use anyhow::Result;

use crate::installation::{PREFIX, TENANT};
use crate::stack::Stack;
use crate::stack::simulators::{Device, Role, Simulator};

/// Every store of `e2e/orders`.
const STORES: [&str; 3] = ["madrid", "saopaulo", "tokyo"];

/// Starts them: a tablet and a courier for all stores, or for each where the deployed policies bind them to one.
pub async fn start(stack: &Stack) -> Result<(Vec<Simulator>, Vec<Simulator>)> {
    if stack.aws.deployment().is_none() {
        let kitchen = stack.simulate(&kitchen("kitchen-tablet")).await?;
        let courier = stack.simulate(&courier("courier-1")).await?;
        return Ok((vec![kitchen], vec![courier]));
    }
    let (mut kitchens, mut couriers) = (Vec::new(), Vec::new());
    for store in STORES {
        let kitchen = kitchen(&format!("kitchen-{store}")).of(TENANT, store);
        let courier = courier(&format!("courier-{store}")).of(TENANT, store);
        kitchens.push(stack.simulate(&kitchen).await?);
        couriers.push(stack.simulate(&courier).await?);
    }
    Ok((kitchens, couriers))
}

fn kitchen(name: &str) -> Device {
    Device::new(Role::Kitchen, name, PREFIX)
        .rule("kitchen-rejects=reject")
        .rule("kitchen-silent=silent")
        .rule("*-while-preparing=slow:3000")
        .arg("--accept-ms", "400")
        .arg("--prepare-ms", "1500")
}

fn courier(name: &str) -> Device {
    Device::new(Role::Courier, name, PREFIX)
        .rule("courier-fails=fail-after-pickup")
        .arg("--pickup-ms", "800")
        .arg("--deliver-ms", "1500")
}
