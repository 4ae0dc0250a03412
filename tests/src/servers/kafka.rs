//! Apache Kafka in KRaft mode, one combined node on loopback: started, killed, frozen, started again with its data.
//!
//! It has a plain listener, where everyone may everything, and one with TLS and SCRAM-SHA-512, where [`WRITER`] may
//! everything and [`STRANGER`] nothing. What is asked of it goes through `topic`.

use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};

use super::daemon::{Daemon, Server};
use super::tls::Tls;
use super::{free_ports, installed};
use crate::programs;

/// Name and password of one who may write and read.
pub const WRITER: (&str, &str) = ("writer", "writer-secret");
/// Name and password of one whom the broker knows and allows nothing.
pub const STRANGER: (&str, &str) = ("stranger", "stranger-secret");

/// A broker.
pub struct Kafka {
    daemon: Daemon,
    tls: Tls,
    /// Plain, with TLS and SCRAM, and the controller's.
    ports: [u16; 3],
}

impl Server for Kafka {
    fn daemon(&self) -> &Daemon {
        &self.daemon
    }

    fn restart(&self) {
        self.begin();
    }
}

impl Kafka {
    /// Starts a broker without topics and waits until it answers.
    pub fn start() -> Self {
        let daemon = Daemon::new("kafka");
        let tls = Tls::make(&daemon.folder().join("tls"), "the authority of the test");
        let broker = Self { daemon, tls, ports: free_ports() };
        broker.configure();
        broker.format();
        broker.begin();
        broker
    }

    /// The broker of all tests that do not kill theirs; each has topics of its own on it.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Kafka> = OnceLock::new();
        SHARED.get_or_init(|| {
            let mut broker = Self::start();
            broker.daemon = broker.daemon.swept();
            broker
        })
    }

    fn configure(&self) {
        let [plain, secure, controller] = self.ports;
        let folder = self.daemon.folder();
        // A PEM keystore is one file: key, then certificate.
        let read = |file: &Path| std::fs::read_to_string(file).expect("a file of TLS");
        let store = folder.join("keystore.pem");
        std::fs::write(&store, read(&self.tls.key) + &read(&self.tls.certificate)).expect("written");
        let properties = format!(
            "process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{plain},SASL_SSL://127.0.0.1:{secure},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{plain},SASL_SSL://127.0.0.1:{secure}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,SASL_SSL:SASL_SSL,CONTROLLER:PLAINTEXT
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
sasl.enabled.mechanisms=SCRAM-SHA-512
listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
ssl.keystore.type=PEM
ssl.keystore.location={store}
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:ANONYMOUS;User:{writer}
log.dirs={data}
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
auto.create.topics.enable=false
group.initial.rebalance.delay.ms=0
# A broker that comes back is refused until its predecessor's session is over: 9 s by default.
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=500
",
            store = store.display(),
            data = folder.join("data").display(),
            writer = WRITER.0,
        );
        std::fs::write(folder.join("server.properties"), properties).expect("its configuration");
        let log = "rootLogger.level = INFO
rootLogger.appenderRef.console.ref = console
appender.console.type = Console
appender.console.name = console
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %d{HH:mm:ss.SSS} %p %c{1}: %m%n
";
        std::fs::write(folder.join("log4j2.properties"), log).expect("its configuration");
    }

    /// The arguments of a JVM that runs one of Kafka's programs; sparing, for it shares two cores.
    fn java(&self, class: &str, args: &[String]) -> Vec<String> {
        let jars = installed("HANSARD_KAFKA_JARS", "kafka");
        let mut all: Vec<String> =
            ["-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp"].map(Into::into).into();
        all.push(format!("{}/*", jars.display()));
        all.push(format!("-Dlog4j2.configurationFile={}", self.daemon.folder().join("log4j2.properties").display()));
        all.push(class.into());
        all.extend_from_slice(args);
        all
    }

    /// Makes the storage, with the names and passwords that the second listener knows.
    fn format(&self) {
        let mut args: Vec<String> =
            ["format", "--cluster-id", "SGFuc2FyZFRlc3RzMTIzNA", "--config"].map(Into::into).into();
        args.push(self.daemon.folder().join("server.properties").display().to_string());
        for (name, password) in [WRITER, STRANGER] {
            args.extend(["--add-scram".into(), format!("SCRAM-SHA-512=[name={name},password={password}]")]);
        }
        let mut java = Command::new(programs::outside("java"));
        let output = java.args(self.java("kafka.tools.StorageTool", &args)).output().expect("java");
        assert!(output.status.success(), "the storage cannot be made: {output:?}");
    }

    fn begin(&self) {
        let properties = self.daemon.folder().join("server.properties").display().to_string();
        self.daemon.start(&programs::outside("java"), &self.java("kafka.Kafka", &[properties]), &[]);
        let client: BaseConsumer = self.client().create().expect("a client");
        // It answers when it names itself as a broker, and serves when it is no longer fenced: then it names itself alone.
        self.daemon.answers("gives its metadata", || {
            let metadata = client.fetch_metadata(None, Duration::from_millis(500)).ok()?;
            metadata.brokers().iter().any(|b| b.id() == 1).then_some(())
        });
    }

    /// The address of its plain listener.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.ports[0])
    }

    /// The address of its listener with TLS and SCRAM.
    pub fn secure_address(&self) -> String {
        format!("127.0.0.1:{}", self.ports[1])
    }

    /// Who vouches for [`Self::secure_address`].
    pub fn ca(&self) -> &Path {
        &self.tls.ca
    }

    /// What a client of the plain listener needs.
    pub fn client(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", self.address()).set("reconnect.backoff.max.ms", "500");
        config
    }

    /// What a client of the other listener needs.
    pub fn secure_client(&self, (name, password): (&str, &str)) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", self.secure_address()).set("security.protocol", "sasl_ssl");
        config.set("sasl.mechanism", "SCRAM-SHA-512").set("sasl.username", name).set("sasl.password", password);
        config.set("ssl.ca.location", self.ca().display().to_string());
        config
    }
}
