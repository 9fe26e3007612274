using Cube.Inference.Translation;

namespace Cube.Proxy.Inference;

/// <summary>How a response ended.</summary>
internal enum ResponseEnd
{
    Complete,

    /// <summary>The model server or the connection to it failed.</summary>
    Failed,

    /// <summary>The client closed the connection.</summary>
    Aborted,
}

/// <summary>The end of a forwarded request. The forwarder sets it; telemetry reads it.</summary>
/// <param name="Usage">The tokens that count for the client; null if it got no response.</param>
internal sealed record ResponseOutcome(ResponseEnd End, TokenUsage? Usage);
