//! The kitchens and couriers of the demo.

use anyhow::Result;

use crate::installation::PREFIX;
use crate::stack::Stack;
use crate::stack::simulators::{Device, Role, Simulator};

/// Every store of `e2e/orders`.
const STORES: [&str; 3] = ["madrid", "saopaulo", "tokyo"];

/// Kitchens and couriers.
#[derive(Debug)]
pub struct Crew {
    /// Tablets.
    pub kitchens: Vec<Simulator>,
    /// Telephones.
    pub couriers: Vec<Simulator>,
}

impl Crew {
    /// Starts them: a tablet and a courier for all stores, or for each of a tenant's where the deployed policies bind them
    /// to one.
    ///
    /// # Errors
    /// When one cannot connect to the broker.
    pub async fn start(stack: &Stack, tenant: &str) -> Result<Self> {
        if stack.aws.deployment().is_none() {
            let kitchen = stack.simulate(&kitchen("kitchen-tablet")).await?;
            let courier = stack.simulate(&courier("courier-1")).await?;
            return Ok(Self { kitchens: vec![kitchen], couriers: vec![courier] });
        }
        let (mut kitchens, mut couriers) = (Vec::new(), Vec::new());
        for store in STORES {
            let kitchen = kitchen(&format!("kitchen-{tenant}-{store}")).of(tenant, store);
            let courier = courier(&format!("courier-{tenant}-{store}")).of(tenant, store);
            kitchens.push(stack.simulate(&kitchen).await?);
            couriers.push(stack.simulate(&courier).await?);
        }
        Ok(Self { kitchens, couriers })
    }

    /// All of them.
    pub fn all(&self) -> Vec<&Simulator> {
        self.kitchens.iter().chain(&self.couriers).collect()
    }

    /// True when a kitchen began to prepare the order.
    ///
    /// # Errors
    /// When a tablet's log cannot be read.
    pub fn began(&self, tenant: &str, order: &str) -> Result<bool> {
        for kitchen in &self.kitchens {
            let began = kitchen.journal()?.iter().any(|line| {
                line["tenant"] == tenant && line["orderId"] == order && line["event"]["event"] == "preparing"
            });
            if began {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// Orders of a batch have its name before their own.
fn kitchen(name: &str) -> Device {
    Device::new(Role::Kitchen, name, PREFIX)
        .rule("*kitchen-rejects=reject")
        .rule("*kitchen-silent=silent")
        .rule("*-while-preparing=slow:5000")
        .arg("--accept-ms", "400")
        .arg("--prepare-ms", "1500")
}

fn courier(name: &str) -> Device {
    Device::new(Role::Courier, name, PREFIX)
        .rule("*courier-fails=fail-after-pickup")
        .arg("--pickup-ms", "800")
        .arg("--deliver-ms", "1500")
}
