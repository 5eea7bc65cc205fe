//! Records of calls and of messages: what their lists have in common. Answered by pages of JSON, or as files.

mod csv;
mod file;

use std::fmt::Display;

use futures_util::future::BoxFuture;
use runtime::store::Error as StoreError;
use serde::Serialize;
use uuid::Uuid;

pub(crate) use self::csv::Csv;
pub(crate) use self::file::Exports;
use self::file::{File, Form};
use crate::context::Api;
use crate::problem::{Code, Problem};
use crate::query::{Kind, Param};
use crate::reply::{self, Page, Reply};
use crate::request::Request;

/// Rows of a file that is not asked for with a `limit`.
const ROWS_MAX: u32 = 1_000_000;

pub(crate) const CUSTOMER: Param = Param::new(
    "customer_id",
    Kind::Id,
    "Only those of this customer; needed by who works for more than one, and not for all",
);
pub(crate) const UNTIL: Param =
    Param::new("until", Kind::Time, "Only those that began, or were accepted, before this time");
pub(crate) const FORMAT: Param = Param::new(
    "format",
    Kind::Words(&["json", "csv", "ndjson"]),
    "A page of JSON; or the list as a file, from the cursor on: CSV with a line of titles (RFC 4180), or a \
     line of JSON for each",
);
pub(crate) const LIMIT: Param = Param::new(
    "limit",
    Kind::Number { most: 200, otherwise: 50 },
    "Entries of one page; lines of a file, which has up to 1000000 without it",
);

/// A list of records, the newest first.
pub(crate) trait List: Send + Sync + 'static {
    /// One record, as it is shown.
    type Row: Serialize + Send + 'static;
    /// What the list is ordered by; as text it is a cursor.
    type Key: Copy + Display + Send + Sync + 'static;

    /// Name of its file, without the ending.
    const NAME: &'static str;

    /// So many records at most, from the first on, or from behind one.
    fn page(
        &self,
        before: Option<Self::Key>,
        limit: u32,
    ) -> BoxFuture<'_, Result<Vec<Self::Row>, StoreError>>;

    /// Where a record stands.
    fn key(row: &Self::Row) -> Self::Key;

    /// Titles of the columns of CSV.
    fn titles(&self) -> Vec<&'static str>;

    /// A record in these columns.
    fn cells(row: &Self::Row, csv: &mut Csv);
}

/// Answers with a page of a list, or with all of it behind the cursor as a file.
pub(crate) async fn answer<L: List>(api: &Api, request: &Request, list: L, behind: Option<L::Key>) -> Reply {
    let limit = request.query.number(&LIMIT);
    let Some(form) = request.query.get(FORMAT.name).and_then(Form::named) else {
        let turn = api.exports.turn().await?;
        let rows = list.page(behind, limit.saturating_add(1)).await?;
        drop(turn);
        return reply::json(&Page::of(rows, limit, |row: &L::Row| L::key(row).to_string()));
    };
    let left = request.query.get(LIMIT.name).map_or(ROWS_MAX, |_| limit);
    let tenant = request.tenant()?;
    let who = match tenant.customers() {
        Some([only]) => only.to_string(),
        _ => request.principal.name.clone(),
    };
    let place = api.exports.begin(&who)?;
    File { list, form, behind, left, begun: false, place }.answer().await
}

/// The customer whose records are asked for; none is every customer, for who works for all of them.
pub(crate) fn customer(api: &Api, request: &Request) -> Result<Option<Uuid>, Problem> {
    let tenant = request.tenant()?;
    if let Some(id) = request.query.id(CUSTOMER.name) {
        let known = api.customers.get(id).filter(|customer| tenant.has(customer.id));
        let unknown = || Problem::new(Code::UnknownCustomer, "there is no such customer");
        return known.map(|customer| Some(customer.id)).ok_or_else(unknown);
    }
    match tenant.customers() {
        None => Ok(None),
        Some([only]) => Ok(Some(*only)),
        Some(_) => {
            let detail = "customer_id is needed: you work for more than one customer";
            Err(Problem::new(Code::BadRequest, detail))
        }
    }
}

/// What a number of the query begins with: a plus that was not escaped has come as a space.
pub(crate) fn prefix(request: &Request, name: &str) -> String {
    request.query.get(name).unwrap_or_default().trim().to_owned()
}
