using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Microsoft.Extensions.Options;

namespace Cube.Agent.Evidence;

/// <summary>
/// The key of the agent's TLS certificate. The agent generates it in memory, never stores it, and replaces it after <see cref="AttestationOptions.KeyLifetime"/>.
/// Clients need not trust the certificate: the Evidence is bound to its key.
/// </summary>
internal sealed class AgentKey(IOptions<AttestationOptions> options, TimeProvider time)
{
    private readonly Lock _gate = new();
    private SslStreamCertificateContext? _current;
    private DateTimeOffset _replaceAt;

    public SslStreamCertificateContext Current
    {
        get
        {
            lock (_gate)
            {
                if (_current is null || time.GetUtcNow() >= _replaceAt)
                {
                    (_current, _replaceAt) = (Make(), time.GetUtcNow() + options.Value.KeyLifetime);
                }

                return _current;
            }
        }
    }

    private SslStreamCertificateContext Make()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=cube-agent", key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(certificateAuthority: false, false, 0, critical: true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.DigitalSignature, critical: true));
        request.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension([new Oid("1.3.6.1.5.5.7.3.1", "Server authentication")], critical: false));
        var now = time.GetUtcNow();
        var certificate = request.CreateSelfSigned(now.AddMinutes(-5), now + (2 * options.Value.KeyLifetime));
        if (OperatingSystem.IsWindows())
        {
            // Schannel does not support ephemeral keys.
            var pair = certificate;
            certificate = X509CertificateLoader.LoadPkcs12(pair.Export(X509ContentType.Pkcs12), null);
            pair.Dispose();
        }

        return SslStreamCertificateContext.Create(certificate, additionalCertificates: null, offline: true);
    }
}
