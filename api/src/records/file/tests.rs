use futures_util::future::BoxFuture;
use http_body_util::BodyExt as _;
use serde::Serialize;
use tokio::time::sleep;

use super::*;

/// Numbers from `rows` down to 1; its database fails where it is asked for those below `fails_below`.
struct Numbers {
    rows: u32,
    fails_below: u32,
}

#[derive(Serialize)]
struct Number {
    n: u32,
}

impl List for Numbers {
    type Row = Number;
    type Key = u32;

    const NAME: &'static str = "numbers";

    fn page(&self, before: Option<u32>, limit: u32) -> BoxFuture<'_, Result<Vec<Number>, StoreError>> {
        let before = before.unwrap_or(self.rows + 1);
        Box::pin(async move {
            if before < self.fails_below {
                return Err(StoreError::new(ErrorKind::Unavailable, "the database is gone"));
            }
            Ok((1..before).rev().take(limit as usize).map(|n| Number { n }).collect())
        })
    }

    fn key(row: &Number) -> u32 {
        row.n
    }

    fn titles(&self) -> Vec<&'static str> {
        vec!["n"]
    }

    fn cells(row: &Number, csv: &mut Csv) {
        csv.cell(row.n);
    }
}

fn file(list: Numbers, form: Form, left: u32) -> File<Numbers> {
    let place = Exports::default().begin("key:test").ok().unwrap();
    File { list, form, behind: None, left, begun: false, place }
}

async fn text(response: Response) -> Result<String, String> {
    let whole = response.into_body().collect().await.map_err(|error| error.to_string())?;
    Ok(String::from_utf8(whole.to_bytes().to_vec()).unwrap())
}

#[tokio::test]
async fn a_file_has_every_row_once_whatever_the_pages_are() {
    for rows in [0, 1, 999, 1000, 1001, 2000, 2500] {
        let list = Numbers { rows, fails_below: 0 };
        let csv = file(list, Form::Csv, 1_000_000).answer().await.unwrap();
        assert_eq!(csv.headers()[CONTENT_TYPE], "text/csv; charset=utf-8");
        assert_eq!(csv.headers()[CONTENT_DISPOSITION], "attachment; filename=\"numbers.csv\"");
        let expected: String = (1..=rows).rev().map(|n| format!("{n}\r\n")).collect();
        assert_eq!(text(csv).await.unwrap(), format!("n\r\n{expected}"), "{rows} rows");

        let list = Numbers { rows, fails_below: 0 };
        let ndjson = file(list, Form::Ndjson, 1_000_000).answer().await.unwrap();
        assert_eq!(ndjson.headers()[CONTENT_TYPE], "application/x-ndjson");
        let expected: String = (1..=rows).rev().map(|n| format!("{{\"n\":{n}}}\n")).collect();
        assert_eq!(text(ndjson).await.unwrap(), expected, "{rows} rows");
    }
}

#[tokio::test]
async fn a_file_has_no_more_rows_than_it_may() {
    for (left, last) in [(1, 2500), (1000, 1501), (1001, 1500), (2500, 1), (3000, 1)] {
        let list = Numbers { rows: 2500, fails_below: 0 };
        let written = text(file(list, Form::Csv, left).answer().await.unwrap()).await.unwrap();
        assert_eq!(u32::try_from(written.lines().count()).unwrap(), 1 + left.min(2500));
        assert_eq!(written.lines().last().unwrap(), last.to_string(), "{left} rows");
    }
}

#[tokio::test]
async fn a_database_that_fails_in_the_middle_leaves_no_file_that_looks_whole() {
    let list = Numbers { rows: 2500, fails_below: 2000 };
    let mut cut = file(list, Form::Csv, 1_000_000).answer().await.unwrap().into_body();
    let first = cut.frame().await.unwrap().unwrap().into_data().unwrap();
    assert!(first.ends_with(b"\r\n1501\r\n"), "the first page was read");
    let error = cut.frame().await.unwrap().unwrap_err();
    assert_eq!(error.to_string(), "the database is gone");

    let list = Numbers { rows: 2500, fails_below: 3000 };
    let refused = file(list, Form::Csv, 1_000_000).answer().await.err().unwrap();
    assert_eq!(refused.code, Code::StoreUnavailable, "before the first line it is an answer like others");
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_stands_still_gets_no_more() {
    let exports = Exports::default();
    let place = exports.begin("key:test").ok().unwrap();
    let list = Numbers { rows: 2500, fails_below: 0 };
    let file = File { place, ..file(list, Form::Csv, 1_000_000) };
    let response = file.answer().await.unwrap();
    sleep(STALLED / 2).await;
    assert_eq!(exports.0.lock().len(), 1, "it has its time");
    sleep(STALLED).await;
    assert_eq!(exports.0.lock().len(), 0, "its place is another's");
    assert_eq!(text(response).await.unwrap_err(), "the file was not read in time");
}

#[tokio::test]
async fn nobody_reads_for_a_reader_that_is_gone() {
    let exports = Exports::default();
    let place = exports.begin("key:test").ok().unwrap();
    let list = Numbers { rows: 2500, fails_below: 0 };
    let file = File { place, ..file(list, Form::Csv, 1_000_000) };
    drop(file.answer().await.unwrap());
    while !exports.0.lock().is_empty() {
        tokio::task::yield_now().await;
    }
}

#[test]
fn files_at_one_time_are_counted_by_who_asks_and_together() {
    let exports = Exports::default();
    let begin = |who: &str| exports.begin(who).map_err(|problem| problem.code);
    let own: Vec<_> = (0..OWN_MAX).map(|_| begin("key:a").ok().unwrap()).collect();
    assert_eq!(begin("key:a").err(), Some(Code::TooManyRequests));
    let others: Vec<_> = (OWN_MAX..ALL_MAX).map(|n| begin(&format!("key:{n}")).ok().unwrap()).collect();
    assert_eq!(begin("key:b").err(), Some(Code::TooManyRequests));
    drop(own);
    assert!(begin("key:a").is_ok() && begin("key:b").is_ok());
    drop(others);
    assert!(exports.0.lock().is_empty());
}
