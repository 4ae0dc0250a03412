//! A host of its own for every test: an sshd, an agent, a user who is recorded and one who is not.
//!
//! sshd and agent run in a mount and a process namespace whose `/etc` is a copy with two users in it; when the test ends, in
//! whatever way, the kernel ends all that runs there. The client is outside. Needs root.

use std::ffi::OsStr;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, Output, Stdio};
use std::thread::JoinHandle;

use hansard_tests::call::{Call, code, said};
use hansard_tests::home::{Home, RECIPIENT};
use hansard_tests::namespace::Namespace;
use hansard_tests::terminal::Terminal;
use hansard_tests::{SOON, process, programs, sshd, wait_until};
use serde_json::Value;

/// The user whose login shell is `hansard-shell`.
pub const GUEST: &str = "hsguest";
/// The user whose login shell is the real one. His name is as long, so that what is drawn on a terminal is alike.
pub const PLAIN: &str = "hsplain";
/// Their numbers.
const UIDS: [(&str, u32); 2] = [(GUEST, 7101), (PLAIN, 7102)];

/// A running host.
pub struct Scene {
    /// Where everything of it lies; its store is the one that a player finds by itself.
    pub home: Home,
    namespace: Namespace,
    sshd: Child,
    agent: Option<Child>,
}

impl Scene {
    /// A host whose users have bash.
    pub fn new() -> Self {
        Self::with_shell(Path::new("/bin/bash"))
    }

    /// A host whose users have this shell.
    pub fn with_shell(shell: &Path) -> Self {
        Self::with(shell, "", "")
    }

    /// A host whose users have this shell, with the files that may have it mark its commands. The configuration of that goes on
    /// with this.
    pub fn with_shell_marks(shell: &Path, config: &str) -> Self {
        let setup = format!(
            "cp -r {} /etc/hansard/marks; chmod -R go-w /etc/hansard/marks\n",
            programs::shell_marks().display()
        );
        let config = format!("[interactive]\nshell_marks_dir = \"/etc/hansard/marks\"\n{config}");
        Self::with(shell, &config, &setup)
    }

    /// A host with these rules.
    pub fn with_rules(rules: &str) -> Self {
        Self::with(Path::new("/bin/bash"), rules, "")
    }

    /// A host on which this user's own group is the break-glass group, and whose programs are where a package puts them. It
    /// has a `/dev` of its own: the folder `dev`.
    pub fn with_break_glass(user: &str) -> Self {
        Self::with(Path::new("/bin/bash"), "", &break_glass(user))
    }

    /// A host whose spool is a file system of this size.
    pub fn with_small_spool(size: &str) -> Self {
        let setup = format!(
            "mkdir -p .local/state/hansard/spool; mount -t tmpfs -o size={size},mode=700 none .local/state/hansard/spool\n"
        );
        Self::with(Path::new("/bin/bash"), "", &setup)
    }

    fn with(shell: &Path, rules: &str, setup: &str) -> Self {
        let home = Home::new();
        let path = home.path();
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).expect("its mode");
        std::fs::copy(programs::shell(), home.join("hansard-shell")).expect("copied");
        let namespace = namespace(&home, shell, rules, setup);
        let mut scene = Self { sshd: sshd(&home, &namespace), home, namespace, agent: None };
        scene.start_agent();
        scene
    }

    /// Starts the agent, and waits until it takes sessions.
    pub fn start_agent(&mut self) {
        self.start_agent_by(|call| call);
    }

    /// The same, called otherwise.
    pub fn start_agent_by(&mut self, otherwise: impl FnOnce(Call) -> Call) {
        let log = std::fs::File::options().create(true).append(true).open(self.home.join("agent.log")).expect("a log");
        let call = self.inside(programs::recorder());
        let call = otherwise(call.args(["agent", "--config", "/etc/hansard/record.toml"]));
        let mut command = call.command();
        command.stdin(Stdio::null()).stdout(log.try_clone().expect("a log")).stderr(log);
        self.agent = Some(command.spawn().expect("nsenter runs"));
        wait_until("the agent serves its socket", SOON, || std::os::unix::net::UnixStream::connect(self.socket()).ok());
    }

    /// Kills the agent.
    pub fn kill_agent(&mut self) {
        let mut agent = self.agent.take().expect("an agent");
        // nsenter waits for what it started.
        process::descendants(agent.id()).into_iter().for_each(process::kill_first);
        process::ended(&mut agent, SOON);
    }

    /// The agent's process.
    pub fn agent(&self) -> u32 {
        let nsenter = self.agent.as_ref().expect("an agent").id();
        *process::descendants(nsenter).first().expect("it runs")
    }

    /// The agent's socket.
    pub fn socket(&self) -> PathBuf {
        self.home.join("agent.sock")
    }

    /// What the agent wrote into its log.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.home.join("agent.log")).unwrap_or_default()
    }

    /// The home of a user.
    pub fn of(&self, user: &str) -> PathBuf {
        self.home.join(user)
    }

    /// Puts a file into the home of a user, as his.
    pub fn plant(&self, user: &str, name: &str, text: impl AsRef<[u8]>, mode: u32) -> PathBuf {
        let path = self.of(user).join(name);
        let folder = path.parent().expect("a folder");
        std::fs::create_dir_all(folder).expect("a folder");
        std::fs::write(&path, text).expect("written");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).expect("its mode");
        for path in [folder, &path] {
            std::os::unix::fs::chown(path, Some(uid(user)), Some(uid(user))).expect("his");
        }
        path
    }

    /// `ssh OPTIONS… USER@host`, on which a terminal may be.
    pub fn ssh<S: AsRef<OsStr>>(&self, user: &str, options: impl IntoIterator<Item = S>) -> Call {
        self.home.call(programs::outside("ssh")).arg("-F").arg(self.client()).args(options).arg(format!("{user}@host"))
    }

    /// Gives this host other rules; the agent does not know of them yet.
    pub fn configure(&self, rules: &str) {
        std::fs::write(self.home.join("etc/hansard/record.toml"), agent_config(&self.home, rules)).expect("written");
    }

    /// A login of the recorded user, who has got his prompt.
    pub fn login(&self) -> Terminal {
        self.plant(GUEST, ".bash_profile", "PS1='ready> '\n", 0o644);
        let terminal = Terminal::running(&self.ssh::<&str>(GUEST, []));
        terminal.wait_text("ready> ");
        terminal
    }

    /// `ssh USER@host COMMAND` of the recorded user, which runs meanwhile.
    pub fn begin(&self, command: &str) -> JoinHandle<Output> {
        let call = limited(self.ssh::<&str>(GUEST, []).arg(command));
        std::thread::spawn(move || call.output())
    }

    /// The same, for as long as it takes.
    pub fn begin_unlimited(&self, command: &str) -> JoinHandle<Output> {
        let call = self.ssh::<&str>(GUEST, []).arg(command);
        std::thread::spawn(move || call.output())
    }

    /// What is sent to syslog on this host; only where it has a `/dev` of its own.
    pub fn syslog(&self) -> UnixDatagram {
        let path = self.home.join("dev/log");
        let socket = UnixDatagram::bind(&path).expect("a socket");
        socket.set_read_timeout(Some(SOON)).expect("a limit");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o666)).expect("its mode");
        socket
    }

    /// A program of root's on this host.
    pub fn inside(&self, program: impl Into<PathBuf>) -> Call {
        inside(&self.home, &self.namespace, program)
    }

    /// `hansard-record COMMAND ARGS…`, as root on this host.
    pub fn operator<'a>(&self, args: impl IntoIterator<Item = &'a str>) -> Call {
        let call = self.inside(programs::recorder());
        call.args(args).args(["--config", "/etc/hansard/record.toml"])
    }

    /// What the agent says of the sessions that run.
    pub fn status(&self) -> Vec<Value> {
        let output = self.operator(["status", "--json"]).output();
        let mut answer: Value = serde_json::from_str(&fine(&output)).expect("json");
        serde_json::from_value(answer["sessions"].take()).expect("a list")
    }

    /// The ids of the sessions that run.
    pub fn running(&self) -> Vec<String> {
        self.status().iter().map(|one| one["session"].as_str().expect("an id").to_owned()).collect()
    }

    /// How much was recorded of the one session of this kind that runs.
    pub fn recorded_bytes(&self, kind: &str) -> Option<u64> {
        self.status().iter().find(|one| one["kind"] == kind)?["bytes"].as_u64()
    }

    /// The client's configuration.
    pub fn client(&self) -> PathBuf {
        self.home.join("ssh_config")
    }

    /// `ssh USER@host COMMAND` to its end, with this on its standard input.
    pub fn run_with(&self, user: &str, options: &[&str], command: &str, input: &[u8]) -> Output {
        limited(self.ssh(user, options).arg(command)).output_with(input)
    }

    /// `ssh USER@host COMMAND` to its end.
    pub fn run(&self, user: &str, command: &str) -> Output {
        self.run_with(user, &[], command, b"")
    }

    /// `ssh USER@host COMMAND`, by both users; fails unless both got the same. Gives what it was.
    pub fn alike(&self, options: &[&str], command: &str, input: &[u8]) -> Output {
        let got = self.run_with(GUEST, options, command, input);
        let plain = self.run_with(PLAIN, options, command, input);
        assert_eq!(seen(&got, GUEST), seen(&plain, PLAIN), "ssh {options:?} host {command:?}\n{}", self.log());
        got
    }

    /// The processes of a user's sessions that run this program, by their numbers outside.
    pub fn processes(&self, program: &Path) -> Vec<u32> {
        let mut found = process::descendants(self.sshd.id());
        found.retain(|pid| std::fs::read_link(format!("/proc/{pid}/exe")).is_ok_and(|exe| exe == program));
        found
    }

    /// The processes that run `hansard-shell`.
    pub fn tees(&self) -> Vec<u32> {
        self.processes(&self.home.join("hansard-shell"))
    }

    /// Waits until so many sessions were begun, all are over and in the store, and everything there verifies; gives them,
    /// oldest first, as `show --json` has them.
    pub fn sessions(&self, count: usize) -> Vec<Session> {
        let stored = wait_until("all sessions are in the store", SOON, || {
            let ids = self.home.sessions();
            let here = self.home.verify::<&str>([]).code == 0;
            (ids.len() >= count && here && self.spooled() == 0).then_some(ids)
        });
        assert_eq!(stored.len(), count, "other sessions than were begun; the agent:\n{}", self.log());
        self.home.assert_complete();
        stored.into_iter().map(|id| Session::read(&self.home, id)).collect()
    }

    /// The status that a recording ends with.
    pub fn status_of(&self, session: &Session) -> u32 {
        let cast = String::from_utf8(self.home.export(&session.id, "cast")).expect("text");
        let last: Value = serde_json::from_str(cast.lines().last().expect("lines")).expect("json");
        assert_eq!(last[1], "x", "{last}");
        last[2].as_str().and_then(|status| status.parse().ok()).expect("a status")
    }

    /// Waits until so many sessions are over and in the store, whatever is to be said of them; gives their ids.
    pub fn delivered(&self, count: usize) -> Vec<String> {
        wait_until("all sessions are in the store", SOON, || {
            let ids = self.home.sessions();
            (ids.len() == count && self.spooled() == 0).then_some(ids)
        })
    }

    /// The one session there was.
    pub fn session(&self) -> Session {
        self.sessions(1).remove(0)
    }

    /// Segments that are still in the spool.
    pub fn spooled(&self) -> usize {
        let files = process::files_below(&self.home.spool());
        files.iter().filter(|file| file.extension().is_some_and(|e| e == "hseg" || e == "journal")).count()
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the agent's log:\n{}", self.log());
        }
        self.namespace.end();
        let _ = self.sshd.wait();
        if let Some(agent) = &mut self.agent {
            let _ = agent.wait();
        }
    }
}

/// A session as it is in the store.
pub struct Session {
    /// Its id.
    pub id: String,
    /// What `show --json` says.
    pub shown: Value,
}

impl Session {
    fn read(home: &Home, id: String) -> Self {
        let shown = serde_json::from_slice(&home.replay(["show", &id, "--json"]).ok()).expect("json");
        Self { id, shown }
    }

    /// A value, by a JSON pointer.
    pub fn at(&self, pointer: &str) -> &Value {
        self.shown.pointer(pointer).unwrap_or_else(|| panic!("no {pointer} in {:#}", self.shown))
    }
}

/// The one of these sessions that is of this kind.
pub fn of_kind<'s>(sessions: &'s [Session], kind: &str) -> &'s Session {
    sessions.iter().find(|session| session.at("/identity/kind") == kind).expect("it is there")
}

/// What was got, without what must differ: the user's name and number.
pub fn seen(output: &Output, user: &str) -> (i32, String, String) {
    (code(output), neutral(&output.stdout, user), neutral(&output.stderr, user))
}

/// A text in which a user's name and number are those of any user.
pub fn neutral(text: &[u8], user: &str) -> String {
    String::from_utf8_lossy(text).replace(user, "hs-user").replace(&uid(user).to_string(), "UID")
}

/// A user's number.
pub fn uid(user: &str) -> u32 {
    UIDS.iter().find(|(name, _)| *name == user).expect("a user of this host").1
}

/// A call that is ended when it takes too long, with a status that says so.
pub fn limited(call: Call) -> Call {
    call.within(programs::outside("timeout"), ["-k", "1", "60"])
}

fn inside(home: &Home, namespace: &Namespace, program: impl Into<PathBuf>) -> Call {
    namespace.enter(home.call(program), &[])
}

/// Makes users, configuration, keys and the namespace.
fn namespace(home: &Home, shell: &Path, rules: &str, setup: &str) -> Namespace {
    let path = home.path().display();
    let mut script = format!(
        "set -e
         cd {path}; mkdir etc; cp -a /etc/. etc; mount --bind etc /etc
         mount -t tmpfs tmpfs /run; mkdir /run/sshd
         mkdir -p /etc/hansard; chmod 755 /etc/hansard
         ssh-keygen -q -t ed25519 -N '' -f host_key; ssh-keygen -q -t ed25519 -N '' -f client_key
         echo 'hsboth:x:7200:{GUEST},{PLAIN}' >> /etc/group
         echo '{GUEST}:{shell}' > /etc/hansard/shells
         printf '%s\\n' 'socket = {path}/agent.sock' 'start_wait = 3' 'contact = the desk, 555-0100' > /etc/hansard/shell.conf\n",
        shell = shell.display(),
    );
    for (user, uid) in UIDS {
        let login = if user == GUEST { home.join("hansard-shell") } else { shell.to_owned() };
        script += &format!(
            "echo '{user}:x:{uid}:{uid}::{path}/{user}:{login}' >> /etc/passwd
             echo '{user}:x:{uid}:' >> /etc/group; echo '{user}:*:19000:0:99999:7:::' >> /etc/shadow
             mkdir -m 755 {user}; chown {uid}:{uid} {user}\n",
            login = login.display(),
        );
    }
    script += setup;
    script += "echo ready; read -r forever";
    std::fs::write(home.join("record.toml"), agent_config(home, rules)).expect("written");
    let script = script.replace(
        "echo ready",
        "mv record.toml /etc/hansard/record.toml; chmod 600 /etc/hansard/record.toml; echo ready",
    );
    Namespace::new(home.call("/bin/bash").args(["-c", &script]), &["--mount-proc"])
}

/// A `/dev` with syslog and a console that are the test's own; programs in `/usr/bin`; an empty `/var/lib`.
fn break_glass(user: &str) -> String {
    format!(
        "mkdir dev dev/pts dev/shm bin.upper bin.work
         for node in null zero full random urandom tty; do mknod -m 666 dev/$node c $(stat -c '0x%t 0x%T' /dev/$node); done
         mknod -m 666 dev/ptmx c 5 2; install -m 666 /dev/null dev/console; ln -s /proc/self/fd dev/fd
         mount --bind /dev/pts dev/pts; mount --rbind dev /dev
         mount -t tmpfs -o mode=755 tmpfs /var/lib
         mount -t overlay overlay -o lowerdir=/usr/bin,upperdir=bin.upper,workdir=bin.work /usr/bin
         cp {recorder} /usr/bin/hansard-record; cp hansard-shell /usr/bin/hansard-shell
         sed -i 's/start_wait = .*/start_wait = 1/' /etc/hansard/shell.conf
         echo 'break_glass_gid = {gid}' >> /etc/hansard/shell.conf
         printf '%s\n' 'to = [\"file://'$PWD'/.local/share/hansard\"]' 'recipients = [\"{RECIPIENT}\"]' \
           '[ship]' 'final_wait = \"100ms\"' > /etc/hansard/break-glass.toml
",
        recorder = programs::recorder().display(),
        gid = uid(user),
    )
}

fn agent_config(home: &Home, rules: &str) -> String {
    format!(
        "to = [\"file://{}\"]
         recipients = [\"{RECIPIENT}\"]
         [spool]
         dir = \"{}\"
         [ship]
         interval = \"1s\"
         [agent]
         socket = \"{}\"\n{rules}",
        home.store().display(),
        home.spool().display(),
        home.join("agent.sock").display(),
    )
}

/// An sshd in it.
fn sshd(home: &Home, namespace: &Namespace) -> Child {
    let address = sshd::address();
    sshd::client(home, "host", address);
    let path = home.path().display();
    let server = format!(
        "ListenAddress {address}
         HostKey {path}/host_key
         AuthorizedKeysFile {path}/client_key.pub
         MaxStartups 100
         MaxSessions 100
         Subsystem sftp /usr/lib/openssh/sftp-server\n{}",
        sshd::SERVER
    );
    std::fs::write(home.join("sshd_config"), server).expect("written");
    let call = inside(home, namespace, programs::outside("sshd"));
    let call = call.args(["-D", "-f"]).arg(home.join("sshd_config")).arg("-E").arg(home.join("sshd.log"));
    sshd::start(&call, address)
}

/// Fails unless it ended with 0, and gives its standard output.
pub fn fine(output: &Output) -> String {
    assert_eq!(code(output), 0, "{}", said(output));
    String::from_utf8_lossy(&output.stdout).into_owned()
}
