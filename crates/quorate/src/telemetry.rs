//! What a node tells of itself besides its metrics: lines on standard error, and, in builds with the feature
//! `otlp`, spans for a collector of traces.
//!
//! Every request has a name, 16 hexadecimal digits that its answer carries as `quorate-request-id`. It stands
//! in the span of the request and in that of the node that the request is passed on to, so one search finds
//! what all nodes did for it. Spans are of level `debug`: with the default filter they cost next to nothing.

use std::io::IsTerminal;

use tracing_subscriber::filter::{EnvFilter, ParseError};
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::registry::Registry;
use tracing_subscriber::util::SubscriberInitExt;

use crate::arguments::{LogFormat, LoggingArguments};

/// Why nothing can be told.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The filter is not one.
    #[error("--log: '{filter}' is not a log filter: {source}")]
    Filter {
        /// As it was given.
        filter: String,
        /// What is wrong with it.
        source: ParseError,
    },
    /// Spans cannot be sent.
    #[cfg(feature = "otlp")]
    #[error("--otlp-endpoint: {0}")]
    Exporter(#[from] opentelemetry_otlp::ExporterBuildError),
}

/// To be stopped when all is said.
#[must_use]
#[derive(Default)]
pub struct Telemetry {
    #[cfg(feature = "otlp")]
    spans: Option<opentelemetry_sdk::trace::SdkTracerProvider>,
}

impl Telemetry {
    /// Starts to tell. Once in a process, and before there is a runtime.
    pub fn start(arguments: &LoggingArguments) -> Result<Self, TelemetryError> {
        let filter = &arguments.log;
        // openraft warns of every lost connection, again and again; who wants that says --log openraft=warn.
        let lines_filter = EnvFilter::builder()
            .parse(format!("openraft=error,{filter}"))
            .map_err(|source| TelemetryError::Filter { filter: filter.clone(), source })?;
        let lines = lines(arguments.log_format).with_filter(lines_filter);
        let registry = tracing_subscriber::registry().with(lines);
        #[cfg(feature = "otlp")]
        if let Some(endpoint) = &arguments.otlp_endpoint {
            let (layer, spans) = otlp::spans(endpoint, arguments.otlp_sample_ratio)?;
            registry.with(layer).init();
            return Ok(Self { spans: Some(spans) });
        }
        registry.init();
        Ok(Self::default())
    }

    /// Sends what has not been sent yet.
    pub fn stop(self) {
        #[cfg(feature = "otlp")]
        if let Some(Err(error)) = self.spans.map(|spans| spans.shutdown()) {
            tracing::warn!(%error, "the last spans could not be sent");
        }
    }
}

fn lines(format: LogFormat) -> Box<dyn Layer<Registry> + Send + Sync> {
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    match format {
        LogFormat::Text => lines.with_ansi(std::io::stderr().is_terminal()).boxed(),
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
    }
}

/// Spans over OTLP (OpenTelemetry protocol 1.x), by HTTP with protocol buffers.
#[cfg(feature = "otlp")]
mod otlp {
    use opentelemetry::trace::TracerProvider as _;
    use opentelemetry_otlp::{ExporterBuildError, Protocol, SpanExporter, WithExportConfig};
    use opentelemetry_sdk::Resource;
    use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider};
    use tracing_subscriber::filter::{LevelFilter, Targets};
    use tracing_subscriber::layer::Layer;
    use tracing_subscriber::registry::LookupSpan;

    /// The crates whose spans are sent. What the exporter itself does must not be among them.
    const TARGETS: [&str; 4] = ["quorate_http", "quorate_replica", "quorate_peer", "quorate_storage"];

    /// The layer that collects spans, and what sends them from a thread of its own: when its queue is full,
    /// spans are dropped and requests do not wait.
    pub(super) fn spans<S>(
        endpoint: &str,
        sample_ratio: f64,
    ) -> Result<(impl Layer<S> + Send + Sync, SdkTracerProvider), ExporterBuildError>
    where
        S: tracing::Subscriber + for<'span> LookupSpan<'span> + Send + Sync,
    {
        let exporter = SpanExporter::builder()
            .with_http()
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(format!("{}/v1/traces", endpoint.trim_end_matches('/')))
            .build()?;
        let sampler = Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(sample_ratio)));
        let provider = SdkTracerProvider::builder()
            .with_batch_exporter(exporter)
            .with_sampler(sampler)
            .with_resource(Resource::builder().with_service_name("quorate").build())
            .build();
        let wanted = TARGETS.iter().map(|target| (*target, LevelFilter::DEBUG));
        let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("quorate"));
        Ok((layer.with_filter(wanted.collect::<Targets>()), provider))
    }
}
