//! Log lines on standard error, and panics as log lines.

use std::any::Any;
use std::fs::File;
use std::panic::{self, PanicHookInfo};
use std::sync::Arc;
use std::thread;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::Directive;
use tracing_subscriber::fmt::MakeWriter;

use crate::supervision::task;

/// How a line looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people at a terminal.
    #[default]
    Human,
    /// One JSON object per line, fields at the top.
    Json,
}

/// Why logging cannot start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The filter is not understood.
    #[error("log filter {filter:?} is not valid: {reason}")]
    Filter {
        /// As given.
        filter: String,
        /// What is wrong.
        reason: String,
    },
    /// This process logs already.
    #[error("logging was started before")]
    Twice,
}

/// Logs to standard error from now on, panics included. Once per process.
///
/// `filter` is a level or a list such as `info,actors=debug`. ractor's own lines and spans are shown from
/// `warn` unless the filter names ractor.
pub fn init(format: LogFormat, filter: &str) -> Result<(), Error> {
    let colours = std::io::IsTerminal::is_terminal(&std::io::stderr());
    install(subscriber((format, colours), filter, std::io::stderr)?)
}

/// The same into a file, for a program that needs its screen for other things.
pub fn init_file(format: LogFormat, filter: &str, file: File) -> Result<(), Error> {
    install(subscriber((format, false), filter, Arc::new(file))?)
}

fn install(subscriber: Box<dyn tracing::Subscriber + Send + Sync>) -> Result<(), Error> {
    tracing::subscriber::set_global_default(subscriber).map_err(|_| Error::Twice)?;
    panic::set_hook(Box::new(log_panic));
    Ok(())
}

/// The same subscriber on any writer.
fn subscriber<W>(
    (format, colours): (LogFormat, bool),
    filter: &str,
    writer: W,
) -> Result<Box<dyn tracing::Subscriber + Send + Sync>, Error>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let filter = env_filter(filter)?;
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(writer);
    Ok(match format {
        LogFormat::Human => Box::new(lines.with_ansi(colours).finish()),
        LogFormat::Json => Box::new(lines.json().flatten_event(true).finish()),
    })
}

fn env_filter(text: &str) -> Result<EnvFilter, Error> {
    let invalid = |reason: String| Error::Filter { filter: text.to_owned(), reason };
    let filter = EnvFilter::try_new(text).map_err(|error| invalid(error.to_string()))?;
    if text.contains("ractor") {
        return Ok(filter);
    }
    // Its span on every actor names only a number.
    let quiet: Directive = "ractor=warn".parse().map_err(|error| invalid(format!("{error}")))?;
    Ok(filter.add_directive(quiet))
}

/// One line per panic: text, place, thread, and the child it happened in, where known.
fn log_panic(panic: &PanicHookInfo<'_>) {
    let location = panic.location().map(ToString::to_string).unwrap_or_default();
    let thread = thread::current();
    tracing::error!(
        panic = one_line(panic.payload()),
        location,
        thread = thread.name().unwrap_or("unnamed"),
        actor = task::current().map(tracing::field::display),
        "panic"
    );
}

fn one_line(payload: &(dyn Any + Send)) -> String {
    task::panic_text(payload).lines().map(str::trim).collect::<Vec<_>>().join(" | ")
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::Arc;

    use parking_lot::Mutex;
    use tracing_subscriber::fmt::MakeWriter;

    use super::{LogFormat, log_panic, subscriber};
    use crate::registry::ActorName;
    use crate::supervision::task;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl MakeWriter<'_> for Lines {
        type Writer = Self;

        fn make_writer(&self) -> Self {
            self.clone()
        }
    }

    impl Lines {
        fn text(&self) -> String {
            String::from_utf8(self.0.lock().clone()).unwrap()
        }
    }

    #[test]
    fn json_lines_are_flat_objects_and_the_filter_holds() {
        let lines = Lines::default();
        let subscriber = subscriber((LogFormat::Json, false), "warn,runtime=info", lines.clone()).unwrap();
        tracing::subscriber::with_default(subscriber, || {
            tracing::info!(system_id = "acme", "bound");
            tracing::debug!("too much");
            tracing::info!(target: "other", "too much");
            tracing::info!(target: "ractor", "too much");
        });
        let text = lines.text();
        assert_eq!(text.lines().count(), 1, "{text}");
        let line: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!((&line["message"], &line["system_id"]), (&"bound".into(), &"acme".into()));
        assert_eq!(line["level"], "INFO");
        assert!(line["timestamp"].as_str().unwrap().ends_with('Z'));
    }

    #[test]
    fn a_human_line_has_its_fields_at_the_end() {
        let lines = Lines::default();
        let subscriber = subscriber((LogFormat::Human, false), "info", lines.clone()).unwrap();
        tracing::subscriber::with_default(subscriber, || tracing::info!(system_id = "acme", "bound"));
        assert!(lines.text().trim_end().ends_with("bound system_id=\"acme\""), "{}", lines.text());
    }

    #[test]
    fn a_panic_is_one_line_with_its_actor() {
        let lines = Lines::default();
        let subscriber = subscriber((LogFormat::Json, false), "info", lines.clone()).unwrap();
        let before = std::panic::take_hook();
        // Panics of tests beside this one are none of its business.
        let mine = std::thread::current().id();
        std::panic::set_hook(Box::new(move |panic| {
            if std::thread::current().id() == mine { log_panic(panic) } else { before(panic) }
        }));
        tracing::subscriber::with_default(subscriber, || {
            task::named_sync(ActorName::new("bind", "acme"), || {
                std::panic::catch_unwind(|| panic!("first\n  second")).unwrap_err()
            });
        });
        let text = lines.text();
        let line: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(line["panic"], "first | second");
        assert_eq!(line["actor"], "bind:acme:0");
        assert!(line["location"].as_str().unwrap().contains("logs.rs:"), "{text}");
    }

    #[test]
    fn a_bad_filter_is_named() {
        let error = subscriber((LogFormat::Human, false), "a=b=c", io::sink).err().unwrap();
        assert!(error.to_string().starts_with("log filter \"a=b=c\" is not valid: "), "{error}");
    }
}
