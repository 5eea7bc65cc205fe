//! `/v1/network`: addresses of ours that customers and vendors must know.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use runtime::config::{EgressAddress, IngressAddress};
use runtime::model::{Cidr, Transport};
use runtime::store::dedicated_ip;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;
use warp::http::Method;

use crate::context::Api;
use crate::permission::Permission;
use crate::problem::{Code, Problem};
use crate::query::{Kind, Param};
use crate::reply::{self, Page, Reply};
use crate::request::Request;
use crate::table::{Access, Reach, Route};

const READ: Access = Access::May(Permission::NetworkRead, Reach::Own);

pub(super) const ROUTES: &[Route] = &[
    Route::new(Method::GET, "/v1/network/vendor-ips", READ, vendor_ips)
        .says("Where our calls and messages come from: what vendors and customers must allow")
        .gives::<Page<Egress>>(200),
    Route::new(Method::GET, "/v1/network/ingress-ips", READ, ingress_ips)
        .says("Where customers send calls and messages to, their dedicated addresses among it")
        .asks(&[CUSTOMER])
        .gives::<Page<Ingress>>(200),
];

const CUSTOMER: Param = Param::new(
    "customer_id",
    Kind::Id,
    "With the dedicated addresses of this customer; else of all that who asks works for by name",
);

/// Dedicated addresses of one customer that are told; the others stand in their own list.
const DEDICATED_MAX: u32 = 200;

/// An address that we send from.
#[derive(Serialize, ToSchema)]
#[schema(as = EgressAddress)]
struct Egress {
    /// For people.
    #[schema(example = "NAT 1")]
    name: String,
    /// The address, or a network of them.
    address: Cidr,
}

/// A place that customers send to.
#[derive(Serialize, ToSchema)]
#[schema(as = IngressAddress)]
struct Ingress {
    /// For people.
    #[schema(example = "SIP")]
    name: String,
    /// Host name or address.
    #[schema(example = "sip.example.net")]
    address: String,
    /// How; null: as at the other places.
    transport: Option<Transport>,
    /// Where; null: as at the other places.
    #[schema(example = 5060)]
    port: Option<u16>,
    /// The customer that alone may send there; null: every customer.
    customer_id: Option<Uuid>,
}

impl From<&EgressAddress> for Egress {
    fn from(address: &EgressAddress) -> Self {
        Self { name: address.name.clone(), address: address.address }
    }
}

impl From<&IngressAddress> for Ingress {
    fn from(address: &IngressAddress) -> Self {
        Self {
            name: address.name.clone(),
            address: address.address.clone(),
            transport: Some(address.transport),
            port: Some(address.port),
            customer_id: None,
        }
    }
}

fn vendor_ips(api: Arc<Api>, _request: Request) -> BoxFuture<'static, Reply> {
    Box::pin(async move {
        let items: Vec<Egress> = api.network.egress.iter().map(Egress::from).collect();
        reply::json(&Page { items, next: None })
    })
}

fn ingress_ips(api: Arc<Api>, request: Request) -> BoxFuture<'static, Reply> {
    Box::pin(async move {
        let mut items: Vec<Ingress> = api.network.ingress.iter().map(Ingress::from).collect();
        for customer in customers(&api, &request)? {
            let own = dedicated_ip::page(&api.store, customer, None, DEDICATED_MAX).await?;
            items.extend(own.into_iter().map(|own| Ingress {
                name: "dedicated".to_owned(),
                address: own.address.to_string(),
                transport: None,
                port: None,
                customer_id: Some(customer),
            }));
        }
        reply::json(&Page { items, next: None })
    })
}

/// Whose dedicated addresses are shown. Who works for every customer names one: all of them are a list of their own.
fn customers(api: &Api, request: &Request) -> Result<Vec<Uuid>, Problem> {
    let tenant = request.tenant()?;
    let Some(id) = request.query.id("customer_id") else {
        return Ok(tenant.customers().unwrap_or_default().to_vec());
    };
    let known = api.customers.get(id).filter(|customer| tenant.has(customer.id));
    let unknown = || Problem::new(Code::UnknownCustomer, "there is no such customer");
    known.map(|customer| vec![customer.id]).ok_or_else(unknown)
}
