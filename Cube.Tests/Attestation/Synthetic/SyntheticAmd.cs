using System.Formats.Asn1;
using System.Numerics;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Cube.Attestation.Certificates;
using Cube.Attestation.Evidence;

namespace Cube.Tests.Attestation.Synthetic;

/// <summary>AMD's certificate hierarchy with temporary keys, and reports signed by it. Each possible defect is one property.</summary>
internal sealed class SyntheticAmd
{
    public static readonly DateTimeOffset Now = new(2026, 6, 15, 0, 0, 0, TimeSpan.Zero);
    private const string Arc = "1.3.6.1.4.1.3704.1.";
    private static readonly Lazy<SyntheticAmd> _shared = new(static () => new SyntheticAmd());
    private readonly RSA _arkKey = RSA.Create(2048);
    private readonly RSA _askKey = RSA.Create(2048);
    private readonly ECDsa _vekKey = ECDsa.Create(ECCurve.NamedCurves.nistP384);
    private readonly Dictionary<string, X509Certificate2> _arks = [];

    public static SyntheticAmd Shared => _shared.Value;

    /// <summary>One report and its chain. The defaults are valid.</summary>
    internal sealed record Case
    {
        public string Product { get; init; } = "Milan";
        public string? ProductName { get; init; }
        public bool IsVlek { get; init; }
        public byte[] Tcb { get; init; } = [3, 0, 0, 0, 0, 0, 8, 115];
        public byte[]? CertificateTcb { get; init; }
        public byte[] ChipId { get; init; } = [.. Enumerable.Range(1, 64).Select(static i => (byte)i)];
        public byte[]? HardwareId { get; init; }
        public string? CspId { get; init; }
        public string? LeafName { get; init; }
        public string? AskName { get; init; }
        public bool AskIsCa { get; init; } = true;
        public bool LeafIsCa { get; init; }
        public bool AskSignsCertificates { get; init; } = true;
        public DateTimeOffset LeafFrom { get; init; } = Now.AddYears(-1);
        public DateTimeOffset LeafTo { get; init; } = Now.AddYears(6);
        public DateTimeOffset AskTo { get; init; } = Now.AddYears(20);
        public bool SignWithAnotherArk { get; init; }
        public bool SignLeafWithAnotherAsk { get; init; }
        public bool SignWithAnotherVek { get; init; }
        public HashAlgorithmName LeafHash { get; init; } = HashAlgorithmName.SHA384;
        public RSASignaturePadding LeafPadding { get; init; } = RSASignaturePadding.Pss;
        public string[] WithoutExtensions { get; init; } = [];
        public bool CriticalUnknownExtension { get; init; }

        /// <summary>Changes the report before it is signed.</summary>
        public Action<byte[]>? Report { get; init; }

        /// <summary>Changes the report after it is signed.</summary>
        public Func<byte[], byte[]>? Signed { get; init; }

        public Func<List<byte[]>, IReadOnlyList<byte[]>>? Certificates { get; init; }
        public bool RootIsPinned { get; init; } = true;
        public byte[]? Crl { get; init; }
        public EvidenceDocument? Extra { get; init; }
    }

    public (EvidenceDocument Evidence, TrustAnchors Anchors) Make(Case wanted)
    {
        var ark = Ark(wanted.Product);
        var ask = Issue(ark, wanted.SignWithAnotherArk ? _askKey : _arkKey, wanted.AskName ?? (wanted.IsVlek ? $"SEV-VLEK-{wanted.Product}" : $"SEV-{wanted.Product}"), _askKey, wanted.AskIsCa, wanted.AskSignsCertificates, wanted.AskTo);
        var leaf = Leaf(wanted, ask);
        var report = Report(wanted);
        List<byte[]> chain = [leaf, ask.RawData, ark.RawData];
        var evidence = new EvidenceDocument
        {
            Type = EvidenceType.SevSnp,
            Report = report,
            Certificates = wanted.Certificates?.Invoke(chain) ?? chain,
            Crl = wanted.Crl,
            UvmEndorsement = wanted.Extra?.UvmEndorsement,
            SecurityPolicy = wanted.Extra?.SecurityPolicy,
        };
        return (evidence, TrustAnchors.Vendor with { Amd = wanted.RootIsPinned ? [Certificate.Parse(ark.RawData)] : TrustAnchors.Vendor.Amd, AmdIntermediates = [] });
    }

    /// <summary>A revocation list of the ARK, or of a forged issuer with its name.</summary>
    public byte[] Crl(DateTimeOffset? thisUpdate = null, DateTimeOffset? nextUpdate = null, bool revokeAsk = false, bool forged = false)
    {
        var builder = new CertificateRevocationListBuilder();
        if (revokeAsk)
        {
            builder.AddEntry([3]);
        }

        var ark = Ark("Milan");
        using var signer = forged ? new CertificateRequest(ark.SubjectName, _askKey, HashAlgorithmName.SHA384, RSASignaturePadding.Pss).WithCa().CreateSelfSigned(Now.AddYears(-5), Now.AddYears(20)) : null;
        return builder.Build(signer ?? ark, BigInteger.One, nextUpdate ?? Now.AddDays(30), HashAlgorithmName.SHA384, RSASignaturePadding.Pss, thisUpdate ?? Now.AddDays(-1));
    }

    private X509Certificate2 Ark(string product)
    {
        lock (_arks)
        {
            if (!_arks.TryGetValue(product, out var ark))
            {
                ark = _arks[product] = new CertificateRequest(Name($"ARK-{product}"), _arkKey, HashAlgorithmName.SHA384, RSASignaturePadding.Pss).WithCa().CreateSelfSigned(Now.AddYears(-5), Now.AddYears(20));
            }

            return ark;
        }
    }

    private static X500DistinguishedName Name(string commonName) => new($"O=Simulated TEE (test only), CN={commonName}");

    private static X509Certificate2 Issue(X509Certificate2 ark, RSA signer, string name, RSA key, bool isCa, bool signsCertificates, DateTimeOffset to)
    {
        var request = new CertificateRequest(Name(name), key, HashAlgorithmName.SHA384, RSASignaturePadding.Pss);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(isCa, false, 0, critical: true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(signsCertificates ? X509KeyUsageFlags.KeyCertSign : X509KeyUsageFlags.DigitalSignature, critical: true));
        return request.Create(ark.SubjectName, X509SignatureGenerator.CreateForRSA(signer, RSASignaturePadding.Pss), Now.AddYears(-4), to, [3]);
    }

    private byte[] Leaf(Case wanted, X509Certificate2 ask)
    {
        var request = new CertificateRequest(Name(wanted.LeafName ?? (wanted.IsVlek ? "SEV-VLEK" : "SEV-VCEK")), _vekKey, wanted.LeafHash);
        if (wanted.LeafIsCa)
        {
            request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, critical: true));
        }

        if (wanted.CriticalUnknownExtension)
        {
            request.CertificateExtensions.Add(new X509Extension("1.2.3.4.5", [0x05, 0x00], critical: true));
        }

        var tcb = wanted.CertificateTcb ?? wanted.Tcb;
        var isTurin = wanted.Product == "Turin";
        Add("1", Integer(0));
        Add("2", Text(wanted.ProductName ?? (wanted.Product == "Milan" ? "Milan-B0" : wanted.Product)));
        Add("3.1", Integer(tcb[isTurin ? 1 : 0]));
        Add("3.2", Integer(tcb[isTurin ? 2 : 1]));
        Add("3.3", Integer(tcb[isTurin ? 3 : 6]));
        Add("3.8", Integer(tcb[7]));
        if (isTurin)
        {
            Add("3.9", Integer(tcb[0]));
        }

        if (!wanted.IsVlek || wanted.HardwareId is not null)
        {
            Add("4", wanted.HardwareId ?? (isTurin ? wanted.ChipId[..8] : wanted.ChipId));
        }

        if (wanted.IsVlek && wanted.CspId != "")
        {
            Add("5", Text(wanted.CspId ?? "Simulated Cloud"));
        }

        using var other = wanted.SignLeafWithAnotherAsk ? RSA.Create(2048) : null;
        return request.Create(ask.SubjectName, X509SignatureGenerator.CreateForRSA(other ?? _askKey, wanted.LeafPadding), wanted.LeafFrom, wanted.LeafTo, [0]).RawData;

        void Add(string oid, byte[] value)
        {
            if (!wanted.WithoutExtensions.Contains(oid))
            {
                request.CertificateExtensions.Add(new X509Extension(Arc + oid, value, critical: false));
            }
        }
    }

    private byte[] Report(Case wanted)
    {
        var report = new byte[0x4A0];
        BitConverter.TryWriteBytes(report.AsSpan(0x000), wanted.Product == "Turin" ? 5 : 3);
        BitConverter.TryWriteBytes(report.AsSpan(0x008), 0x30000UL);
        BitConverter.TryWriteBytes(report.AsSpan(0x034), 1);
        BitConverter.TryWriteBytes(report.AsSpan(0x048), wanted.IsVlek ? 1 << 2 : 0);
        report.AsSpan(0x050, 64).Fill(0x5A);
        report.AsSpan(0x090, 48).Fill(0xAB);
        report.AsSpan(0x0E0, 48).Fill(0xCD);
        report.AsSpan(0x160, 32).Fill(0xFF);
        (report[0x188], report[0x189]) = wanted.Product switch { "Milan" => ((byte)0x19, (byte)0x01), "Genoa" => ((byte)0x19, (byte)0x11), _ => ((byte)0x1A, (byte)0x02) };
        foreach (var offset in (int[])[0x038, 0x180, 0x1E0, 0x1F0])
        {
            wanted.Tcb.CopyTo(report, offset);
        }

        if (!wanted.IsVlek)
        {
            (wanted.Product == "Turin" ? wanted.ChipId[..8] : wanted.ChipId).CopyTo(report, 0x1A0);
        }

        (report[0x1E8], report[0x1E9], report[0x1EA]) = (4, 55, 1);
        wanted.Report?.Invoke(report);
        using var other = wanted.SignWithAnotherVek ? ECDsa.Create(ECCurve.NamedCurves.nistP384) : null;
        var signature = (other ?? _vekKey).SignData(report.AsSpan(0, 0x2A0), HashAlgorithmName.SHA384);
        for (var i = 0; i < 48; i++)
        {
            report[0x2A0 + i] = signature[47 - i];
            report[0x2E8 + i] = signature[95 - i];
        }

        return wanted.Signed?.Invoke(report) ?? report;
    }

    private static byte[] Integer(int value)
    {
        var writer = new AsnWriter(AsnEncodingRules.DER);
        writer.WriteInteger(value);
        return writer.Encode();
    }

    private static byte[] Text(string value)
    {
        var writer = new AsnWriter(AsnEncodingRules.DER);
        writer.WriteCharacterString(UniversalTagNumber.IA5String, value);
        return writer.Encode();
    }
}

internal static class RequestExtensions
{
    public static CertificateRequest WithCa(this CertificateRequest request)
    {
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, critical: true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.KeyCertSign | X509KeyUsageFlags.CrlSign, critical: true));
        return request;
    }
}
