using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Cube.ServiceDefaults.Hosting;
using Cube.ServiceDefaults.Peers;
using Microsoft.Extensions.Options;

namespace Cube.Proxy.Forwarding;

/// <summary>The only way out to an agent: TLS with a pinned certificate. Anything else is refused before a byte of a request is sent.</summary>
internal sealed class AgentClient : IDisposable
{
    public const string Peer = "agent";

    private readonly Peers _peers;
    private readonly byte[][] _pins;

    public AgentClient(Peers peers, IOptions<ProxyOptions> options)
    {
        _peers = peers;
        _pins = [.. options.Value.AgentCertificates.Select(Convert.FromHexString)];
        var handler = HopHandler.Create();
        handler.SslOptions = new SslClientAuthenticationOptions
        {
            EnabledSslProtocols = AgentTls.Protocols,
            RemoteCertificateValidationCallback = (_, certificate, _, _) => IsPinned(certificate),
        };
        Invoker = new HttpMessageInvoker(handler);
    }

    public HttpMessageInvoker Invoker { get; }

    public ValueTask<string> AddressAsync(CancellationToken ct) => _peers.AddressAsync($"https://{Peer}", ct);

    private bool IsPinned(X509Certificate? certificate)
    {
        if (certificate is null)
        {
            return false;
        }

        var shown = SHA256.HashData(certificate.GetRawCertData());
        return _pins.Any(pin => CryptographicOperations.FixedTimeEquals(pin, shown));
    }

    public void Dispose() => Invoker.Dispose();
}
