using System.Security.Authentication;

namespace Cube.ServiceDefaults.Hosting;

/// <summary>What both ends of the connection from proxy to agent speak.</summary>
public static class AgentTls
{
    /// <summary>TLS 1.3. macOS' own TLS cannot serve it: a laptop of that kind uses 1.2, with the same pinned certificate.</summary>
    public static SslProtocols Protocols { get; } = OperatingSystem.IsMacOS() ? SslProtocols.Tls12 : SslProtocols.Tls13;

    /// <summary>Marks an error that the agent itself made, so that the proxy may pass it on. The agent lets no header of a backend through.</summary>
    public const string OwnErrorHeader = "x-cube-error";
}
