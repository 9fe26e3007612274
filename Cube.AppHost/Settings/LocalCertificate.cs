using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Cube.AppHost.Settings;

/// <summary>A self-signed certificate for loopback in the data directory, renewed 30 days before it expires.</summary>
internal sealed record LocalCertificate(string CertificatePath, string KeyPath, string Sha256)
{
    private static readonly TimeSpan Lifetime = TimeSpan.FromDays(365);
    private static readonly TimeSpan Margin = TimeSpan.FromDays(30);

    public static LocalCertificate Ensure(DataDirectory data, string name, TimeProvider time)
    {
        var (certificate, key) = ($"{name}.pem", $"{name}.key");
        if (!IsCurrent(data[certificate], data[key], time.GetUtcNow()))
        {
            Make(data, certificate, key, time.GetUtcNow());
        }

        using var current = X509CertificateLoader.LoadCertificateFromFile(data[certificate]);
        return new LocalCertificate(data[certificate], data[key], Convert.ToHexStringLower(SHA256.HashData(current.RawData)));
    }

    private static bool IsCurrent(string certificate, string key, DateTimeOffset now)
    {
        if (!File.Exists(certificate) || !File.Exists(key))
        {
            return false;
        }

        try
        {
            using var pair = X509Certificate2.CreateFromPemFile(certificate, key);
            return pair.NotAfter.ToUniversalTime() - now.UtcDateTime > Margin;
        }
        catch (CryptographicException)
        {
            return false;
        }
    }

    private static void Make(DataDirectory data, string certificate, string key, DateTimeOffset now)
    {
        using var pair = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=localhost, O=Cube on this machine", pair, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddDnsName("localhost");
        names.AddIpAddress(IPAddress.Loopback);
        names.AddIpAddress(IPAddress.IPv6Loopback);
        request.CertificateExtensions.Add(names.Build());
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(certificateAuthority: false, false, 0, critical: true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.DigitalSignature, critical: true));
        request.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension([new Oid("1.3.6.1.5.5.7.3.1", "Server authentication")], critical: false));
        using var made = request.CreateSelfSigned(now.AddMinutes(-5), now + Lifetime);
        data.Write(key, pair.ExportPkcs8PrivateKeyPem());
        data.Write(certificate, made.ExportCertificatePem());
    }
}
