//! The program under test as a process: its files, its configuration, its life and death.

mod http;
mod output;
mod postgres;

use std::fs::{self, File, Permissions};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use super::wait;

pub(crate) use http::Response;
pub(crate) use output::{Finished, run};
pub(crate) use postgres::{Database, Store};

/// Time for a node to come up, and for a command to end.
pub(crate) const READY: Duration = Duration::from_secs(30);

/// A node to be.
#[derive(Default)]
pub(crate) struct Setup {
    /// Lines of `[node]` beside the data directory.
    pub(crate) node: String,
    /// Lines of `[smpp]` beside `listen`.
    pub(crate) smpp: String,
    /// Other sections, `[store]` and below.
    pub(crate) sections: String,
    /// The provisioning file.
    pub(crate) provision: String,
    /// Fixed instead of free ports: they must survive a restart.
    pub(crate) fixed_ports: bool,
    /// Where the data directory is to be, when it is not inside the node's own directory.
    pub(crate) data_dir: Option<PathBuf>,
    /// Lines of `[api]` beside the addresses.
    pub(crate) api: String,
}

/// A node's files; they outlive its processes.
pub(crate) struct Place {
    directory: TempDir,
    data: PathBuf,
    binary: PathBuf,
}

impl Place {
    /// Writes the configuration and applies the provisioning file, no node running yet.
    #[track_caller]
    pub(crate) fn new(setup: &Setup) -> Arc<Self> {
        let place = Self::unprovisioned(setup);
        // PostgreSQL is migrated by hand only.
        if setup.sections.contains("postgres") {
            place.warp(&["migrate"]).assert_success();
        }
        if !setup.provision.is_empty() {
            place.apply(&setup.provision).assert_success();
        }
        place
    }

    /// Writes the configuration only.
    pub(crate) fn unprovisioned(setup: &Setup) -> Arc<Self> {
        let directory = tempfile::Builder::new().prefix("warp-test-").tempdir().unwrap();
        let data = setup.data_dir.clone().unwrap_or_else(|| directory.path().join("data"));
        let place = Self { directory, data, binary: binary() };
        place.write_config(setup);
        Arc::new(place)
    }

    fn write_config(&self, setup: &Setup) {
        let port = || if setup.fixed_ports { free_port() } else { 0 };
        let (api, metrics, smpp) = (port(), port(), port());
        let text = format!(
            "[node]\ndata_dir = {data:?}\n{of_node}\n\
             [api]\nlisten = \"127.0.0.1:{api}\"\nmetrics_listen = \"127.0.0.1:{metrics}\"\n{of_api}\n\
             [smpp]\nlisten = [\"127.0.0.1:{smpp}\"]\n{lines}\n{sections}\n",
            data = self.data.display().to_string(),
            of_node = setup.node,
            of_api = setup.api,
            lines = setup.smpp,
            sections = setup.sections,
        );
        fs::write(self.config(), text).unwrap();
    }

    pub(crate) fn config(&self) -> PathBuf {
        self.directory.path().join("node.toml")
    }

    /// For files of the test beside those of the node.
    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    pub(crate) fn data(&self) -> &Path {
        &self.data
    }

    /// Everything that the node's processes have written to stdout and stderr so far.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.log_path()).unwrap_or_default()
    }

    fn log_path(&self) -> PathBuf {
        self.directory.path().join("node.log")
    }

    /// Runs `warp apply` with this provisioning text.
    #[track_caller]
    pub(crate) fn apply(&self, provision: &str) -> Finished {
        let file = self.directory.path().join("provision.toml");
        fs::write(&file, provision).unwrap();
        self.warp(&["apply", file.to_str().unwrap()])
    }

    /// Runs `warp ARGUMENTS --config OURS` to its end.
    #[track_caller]
    pub(crate) fn warp(&self, arguments: &[&str]) -> Finished {
        run(Command::new(&self.binary).args(arguments).arg("--config").arg(self.config()), READY)
    }

    /// Starts a process and waits until it is ready.
    #[track_caller]
    pub(crate) fn start(self: &Arc<Self>) -> Node {
        let mut starting = self.spawn();
        starting.wait_ready();
        starting
    }

    /// Starts a process and waits for nothing.
    pub(crate) fn spawn(self: &Arc<Self>) -> Node {
        let _ = fs::remove_file(self.data.join("ports.json"));
        let log = File::options().create(true).append(true).open(self.log_path()).unwrap();
        // The kernel ends the node with this thread, should the test itself be killed.
        let child = Command::new("setpriv")
            .args(["--pdeathsig", "KILL"])
            .arg(&self.binary)
            .args(["serve", "--config"])
            .arg(self.config())
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        Node { place: Arc::clone(self), child, ports: None }
    }
}

/// A process of the program.
pub(crate) struct Node {
    place: Arc<Place>,
    child: Child,
    ports: Option<Ports>,
}

/// Where it listens.
#[derive(Clone, Debug)]
pub(crate) struct Ports {
    pub(crate) api: SocketAddr,
    pub(crate) metrics: SocketAddr,
    pub(crate) smpp: Vec<SocketAddr>,
    pub(crate) smpp_tls: Vec<SocketAddr>,
    /// In the order of the configuration.
    pub(crate) sip: Vec<SocketAddr>,
}

impl Node {
    /// A provisioned node, ready.
    #[track_caller]
    pub(crate) fn new(setup: &Setup) -> Self {
        Place::new(setup).start()
    }

    pub(crate) fn place(&self) -> &Arc<Place> {
        &self.place
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    #[track_caller]
    pub(crate) fn ports(&self) -> &Ports {
        self.ports.as_ref().expect("the node was ready")
    }

    /// The first plain SMPP listener.
    #[track_caller]
    pub(crate) fn smpp(&self) -> SocketAddr {
        self.ports().smpp[0]
    }

    /// Waits for ports.json and for `GET /ready` to answer 200.
    #[track_caller]
    pub(crate) fn wait_ready(&mut self) {
        let ports = wait::until("the node writes ports.json", READY, || {
            self.assert_running();
            Ports::read(&self.place.data.join("ports.json"))
        });
        self.ports = Some(ports);
        wait::until("the node is ready", READY, || {
            self.assert_running();
            self.ready().then_some(())
        });
    }

    /// Whether `GET /ready` answers 200 now.
    pub(crate) fn ready(&self) -> bool {
        http::request(self.ports().api, "GET", "/ready", None).is_ok_and(|response| response.status == 200)
    }

    #[track_caller]
    fn assert_running(&mut self) {
        if let Some(status) = self.exit_status() {
            panic!("the node ended: {status}");
        }
    }

    /// `None` while it runs.
    pub(crate) fn exit_status(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    /// The bootstrap token, which nobody else may read.
    #[track_caller]
    pub(crate) fn token(&self) -> String {
        let path = self.place.data.join("bootstrap.token");
        let mode = fs::metadata(&path).expect("a first start leaves bootstrap.token").permissions();
        assert_eq!(mode.mode() & 0o777, Permissions::from_mode(0o600).mode(), "mode of bootstrap.token");
        fs::read_to_string(path).unwrap().trim().to_owned()
    }

    /// GET with the bootstrap token.
    #[track_caller]
    pub(crate) fn get(&self, path: &str) -> Response {
        http::request(self.ports().api, "GET", path, Some(&self.token())).expect("the API answers")
    }

    /// POST without a body, with the bootstrap token.
    #[track_caller]
    pub(crate) fn post(&self, path: &str) -> Response {
        http::request(self.ports().api, "POST", path, Some(&self.token())).expect("the API answers")
    }

    /// A request with the bootstrap token and, where there is one, a JSON body.
    #[track_caller]
    pub(crate) fn send(&self, method: &str, path: &str, body: Option<&Value>) -> Response {
        let body = body.map(Value::to_string).unwrap_or_default();
        http::send(self.ports().api, (method, path), Some(&self.token()), &body).expect("the API answers")
    }

    /// GET as a stranger.
    #[track_caller]
    pub(crate) fn get_unauthorised(&self, path: &str, token: Option<&str>) -> Response {
        http::request(self.ports().api, "GET", path, token).expect("the API answers")
    }

    /// The metrics page.
    #[track_caller]
    pub(crate) fn metrics(&self) -> String {
        http::request(self.ports().metrics, "GET", "/metrics", None).expect("the metrics port answers").body
    }

    /// A metric, summed over its labels; 0 when it has no sample.
    #[track_caller]
    pub(crate) fn metric(&self, name: &str) -> f64 {
        let of_name = |line: &&str| line.strip_prefix(name).is_some_and(|rest| rest.starts_with([' ', '{']));
        let value = |line: &str| line.rsplit(' ').next().and_then(|value| value.parse::<f64>().ok());
        self.metrics().lines().filter(of_name).filter_map(value).sum()
    }

    /// kill -9.
    pub(crate) fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// SIGTERM, and the exit status within the time to drain.
    #[track_caller]
    pub(crate) fn terminate(&mut self) -> ExitStatus {
        signal(self.pid(), "TERM");
        wait::until("the node ends after SIGTERM", READY, || self.exit_status())
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            let log = self.place.log();
            let lines: Vec<&str> = log.lines().collect();
            wait::progress(&format!("-- last lines of {}:", self.place.log_path().display()));
            lines.iter().skip(lines.len().saturating_sub(40)).for_each(|line| wait::progress(line));
        }
    }
}

impl Ports {
    /// `None` while the file is not there or half written.
    fn read(path: &Path) -> Option<Self> {
        let json: Value = serde_json::from_str(&fs::read_to_string(path).ok()?).ok()?;
        let address = |value: &Value| value.as_str().and_then(|text| text.parse().ok());
        let addresses = |value: &Value| value.as_array()?.iter().map(address).collect::<Option<Vec<_>>>();
        Some(Self {
            api: address(&json["api"])?,
            metrics: address(&json["metrics"])?,
            smpp: addresses(&json["smpp"])?,
            smpp_tls: addresses(&json["smpp_tls"]).unwrap_or_default(),
            sip: addresses(&json["sip"]).unwrap_or_default(),
        })
    }
}

/// GET of anybody's page.
pub(crate) fn fetch(address: SocketAddr, path: &str) -> std::io::Result<Response> {
    http::request(address, "GET", path, None)
}

/// Sends a signal by the shell's own `kill`.
#[track_caller]
pub(crate) fn signal(pid: u32, name: &str) {
    let status = Command::new("sh").args(["-c", &format!("kill -{name} {pid}")]).status().unwrap();
    assert!(status.success(), "kill -{name} {pid}");
}

/// The program: `WARP_TEST_BINARY`, else the one beside this test.
pub(crate) fn binary() -> PathBuf {
    environment("WARP_TEST_BINARY").map_or_else(beside_test, |path| built(root().join(path)))
}

fn beside_test() -> PathBuf {
    built(std::env::current_exe().unwrap().parent().and_then(Path::parent).unwrap().join("warp"))
}

#[track_caller]
fn built(path: PathBuf) -> PathBuf {
    assert!(path.is_file(), "{} is not built: cargo build -p node", path.display());
    path
}

/// The root of the repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// What `tests/run` tells the tests.
pub(crate) fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// A port that is free and that the kernel does not give to outgoing connections meanwhile.
pub(crate) fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let of_process = u16::try_from(std::process::id() % 80).unwrap() * 100;
    for _ in 0..2000 {
        let port = 20_000 + (of_process + NEXT.fetch_add(1, Ordering::Relaxed)) % 8000;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
    panic!("no free port between 20000 and 28000");
}
