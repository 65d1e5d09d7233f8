//! A proxy between an operator and everything it calls: the API server, AWS, Stripe and the MQTT broker.
//!
//! It knows which effect of which order a call is ([`classify`]), does to it what a test planned ([`plan`]),
//! and records what passed. It ends the operator's process at the two points of an effect that no process
//! sees by itself: the call left and did not take effect, and it took effect and the answer is on its way.

pub mod classify;
mod http;
mod mqtt;
pub mod plan;
mod shared;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use anyhow::{Context as _, Result};
use nix::unistd::Pid;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::stack::Stack;
use crate::stack::aws::DeviceCertificate;
use classify::Service;
use plan::{Passed, Planned};
pub use shared::Watches;
use shared::{Shared, lock};

/// Where an operator finds each service, when it is not where the stack has it.
#[derive(Clone, Debug)]
pub struct Routes {
    /// URL of the API server.
    pub kubernetes: String,
    /// URL of AWS.
    pub aws: String,
    /// URL of Stripe.
    pub stripe: String,
    /// `host:port` of the MQTT broker.
    pub broker: String,
    /// Who vouches for that broker, PEM.
    pub broker_authority: String,
}

/// A running proxy. Dropping it closes its ports.
pub struct FaultProxy {
    shared: Arc<Shared>,
    routes: Routes,
    _tasks: JoinSet<()>,
}

impl FaultProxy {
    /// Starts a proxy before the services of `stack`. `certificate` is the one it shows the broker in the
    /// operator's name.
    ///
    /// # Errors
    /// When a port or a certificate cannot be had.
    pub async fn start(stack: &Stack, certificate: DeviceCertificate) -> Result<Self> {
        let shared = Arc::new(Shared {
            plan: Mutex::default(),
            passed: Mutex::default(),
            operators: Mutex::default(),
            down: watch::Sender::default(),
            watches: watch::Sender::default(),
            deaf: AtomicBool::default(),
            late: AtomicUsize::default(),
        });
        let mut tasks = JoinSet::new();
        let upstreams = [
            (http::Side::Kubernetes, stack.kubernetes.url()),
            (http::Side::Aws, stack.aws.endpoint()),
            (http::Side::Stripe, stack.stripe.url()),
        ];
        let mut urls = Vec::new();
        for (side, upstream) in upstreams {
            let (listener, address) = listen().await?;
            let upstream = http::Upstream::new(side, upstream, stack.kubernetes.ca_pem())?;
            tasks.spawn(http::serve(listener, upstream, Arc::clone(&shared)));
            urls.push(format!("http://{address}"));
        }
        let (listener, address) = listen().await?;
        let broker = mqtt::Broker::new(stack.aws.iot(), &certificate)?;
        let authority = broker.authority().to_owned();
        tasks.spawn(mqtt::serve(listener, broker, Arc::clone(&shared)));
        let [kubernetes, aws, stripe] = urls.try_into().map_err(|_| anyhow::anyhow!("three services"))?;
        let routes = Routes {
            kubernetes,
            aws,
            stripe,
            broker: format!("localhost:{}", address.port()),
            broker_authority: authority,
        };
        Ok(Self { shared, routes, _tasks: tasks })
    }

    /// Where an operator finds each service.
    pub fn routes(&self) -> &Routes {
        &self.routes
    }

    /// The processes to end when a fault says so.
    pub fn set_operators(&self, processes: &[u32]) {
        let pids = processes.iter().filter_map(|pid| i32::try_from(*pid).ok()).map(Pid::from_raw);
        *lock(&self.shared.operators) = pids.collect();
    }

    /// Plans a fault.
    pub fn plan(&self, planned: Planned) {
        lock(&self.shared.plan).add(planned);
    }

    /// Forgets the faults that have not happened.
    pub fn clear(&self) {
        lock(&self.shared.plan).clear();
    }

    /// The faults that happened, in order.
    pub fn fired(&self) -> Vec<Planned> {
        lock(&self.shared.plan).fired().to_vec()
    }

    /// True while a request is on its way whose sender was killed.
    pub fn has_late(&self) -> bool {
        self.shared.late.load(Ordering::SeqCst) > 0
    }

    /// Every call that passed or was befallen by a fault, in order.
    pub fn passed(&self) -> Vec<Passed> {
        lock(&self.shared.passed).clone()
    }

    /// Refuses a service, and cuts what is open, until it is let up again.
    pub fn take_down(&self, service: Service) {
        self.shared.down.send_modify(|down| {
            down.insert(service);
        });
    }

    /// Refuses a service for some time.
    pub fn take_down_for(&self, service: Service, time: std::time::Duration) {
        self.take_down(service);
        let shared = Arc::clone(&self.shared);
        tokio::spawn(async move {
            tokio::time::sleep(time).await;
            shared.let_up(service);
        });
    }

    /// Lets a service up again.
    pub fn let_up(&self, service: Service) {
        self.shared.let_up(service);
    }

    /// Swallows what the broker acknowledges and passes on, until told otherwise: commands go out, and nobody
    /// hears what became of them.
    pub fn deafen(&self, deaf: bool) {
        self.shared.deaf.store(deaf, Ordering::SeqCst);
    }

    /// Decides over the watches of the API server.
    pub fn set_watches(&self, watches: Watches) {
        self.shared.watches.send_replace(watches);
    }
}

async fn listen() -> Result<(TcpListener, SocketAddr)> {
    let listener = TcpListener::bind("127.0.0.1:0").await.context("a port for the fault proxy")?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}
