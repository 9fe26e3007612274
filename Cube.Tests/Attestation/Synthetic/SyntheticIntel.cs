using System.Formats.Asn1;
using System.Numerics;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Text.Json.Nodes;
using Cube.Attestation.Certificates;
using Cube.Attestation.Evidence;
using Cube.Attestation.Tdx;

namespace Cube.Tests.Attestation.Synthetic;

/// <summary>Intel's certificate hierarchy with temporary keys, and quotes and collateral signed by it. Each possible defect is one property.</summary>
internal sealed class SyntheticIntel
{
    public static readonly DateTimeOffset Now = SyntheticAmd.Now;
    private const string Arc = "1.2.840.113741.1.13.1";
    private static readonly Lazy<SyntheticIntel> _shared = new(static () => new SyntheticIntel());
    private readonly ECDsa _rootKey = P256();
    private readonly ECDsa _caKey = P256();
    private readonly ECDsa _pckKey = P256();
    private readonly ECDsa _tcbKey = P256();
    private readonly ECDsa _akKey = P256();
    private readonly X509Certificate2 _root;
    private readonly X509Certificate2 _ca;

    private SyntheticIntel()
    {
        _root = new CertificateRequest(Name("Intel SGX Root CA"), _rootKey, HashAlgorithmName.SHA256).WithCa().CreateSelfSigned(Now.AddYears(-5), Now.AddYears(20));
        _ca = Sign(new CertificateRequest(Name("Intel SGX PCK Platform CA"), _caKey, HashAlgorithmName.SHA256).WithCa(), _root, _rootKey, [2]);
    }

    public static SyntheticIntel Shared => _shared.Value;

    public Certificate Root => Certificate.Parse(_root.RawData);

    internal sealed record Case
    {
        public int Version { get; init; } = 4;
        public Action<byte[]>? Header { get; init; }
        public Action<byte[]>? Body { get; init; }
        public Action<byte[]>? QeReport { get; init; }
        public byte[] Fmspc { get; init; } = [0, 0x80, 0x6F, 5, 0, 0];
        public byte[] PceId { get; init; } = [0, 0];
        public byte[] Components { get; init; } = [7, 7, 2, 2, 3, 1, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0];
        public int PceSvn { get; init; } = 11;
        public string PckName { get; init; } = "Intel SGX PCK Certificate";
        public DateTimeOffset PckTo { get; init; } = Now.AddYears(6);
        public bool WithPckExtension { get; init; } = true;
        public bool BindAk { get; init; } = true;
        public bool SignQeWithAnother { get; init; }
        public bool SignQuoteWithAnother { get; init; }
        public bool RootIsPinned { get; init; } = true;
        public ushort OuterType { get; init; } = 6;
        public ushort InnerType { get; init; } = 5;
        public Func<string, string>? Pem { get; init; }
        public Func<byte[], byte[]>? Signed { get; init; }
        public Action<JsonObject>? TcbInfo { get; init; }
        public Action<JsonObject>? QeIdentity { get; init; }
        public Func<byte[], byte[]>? TcbSignature { get; init; }
        public Func<byte[], byte[]>? QeSignature { get; init; }
        public string TcbSigner { get; init; } = "Intel SGX TCB Signing";
        public bool RevokePck { get; init; }
        public bool RevokeCa { get; init; }
        public bool RevokeTcbSigner { get; init; }
        public DateTimeOffset CrlTo { get; init; } = Now.AddDays(30);
        public DateTimeOffset RootCrlTo { get; init; } = Now.AddDays(30);
        public bool ForgePckCrl { get; init; }
        public bool ForgeRootCrl { get; init; }
        public bool PckCrlFromRoot { get; init; }
        public Func<TdxCollateral, TdxCollateral?>? Collateral { get; init; }
        public byte[]? CcEventLog { get; init; }
    }

    public (EvidenceDocument Evidence, TrustAnchors Anchors) Make(Case wanted)
    {
        var quote = Quote(wanted);
        var collateral = Collateral(wanted);
        return (new EvidenceDocument
        {
            Type = EvidenceType.Tdx,
            Quote = wanted.Signed?.Invoke(quote) ?? quote,
            Collateral = wanted.Collateral is null ? collateral : wanted.Collateral(collateral),
            CcEventLog = wanted.CcEventLog,
        }, TrustAnchors.Vendor with { Intel = wanted.RootIsPinned ? [Root] : TrustAnchors.Vendor.Intel });
    }

    private byte[] Quote(Case wanted)
    {
        var header = new byte[48];
        BitConverter.TryWriteBytes(header, (ushort)wanted.Version);
        BitConverter.TryWriteBytes(header.AsSpan(2), (ushort)2);
        BitConverter.TryWriteBytes(header.AsSpan(4), 0x81);
        Convert.FromHexString("939a7233f79c4ca9940a0db3957f0607").CopyTo(header, 12);
        wanted.Header?.Invoke(header);
        var body = new byte[wanted.Version == 5 ? 648 : 584];
        (body[0], body[1], body[2]) = (5, 1, 7);
        body.AsSpan(136, 48).Fill(0xAA);
        body.AsSpan(520, 64).Fill(0x5A);
        body[123] = 0x10;
        wanted.Body?.Invoke(body);
        byte[] signed = wanted.Version == 5 ? [.. header, .. U16(3), .. U32(648), .. body] : [.. header, .. body];
        using var stranger = P256();
        var ak = Point(_akKey);
        byte[] auth = [.. Enumerable.Range(0, 32).Select(static i => (byte)i)];
        var qe = new byte[384];
        Convert.FromHexString("11000000000000000000000000000000").CopyTo(qe, 48);
        Convert.FromHexString("DC9E2A7C6F948F17474E34A7FC43ED030F7C1563F1BABDDF6340C82E0E54A8C5").CopyTo(qe, 128);
        BitConverter.TryWriteBytes(qe.AsSpan(256), (ushort)2);
        BitConverter.TryWriteBytes(qe.AsSpan(258), (ushort)6);
        if (wanted.BindAk)
        {
            SHA256.HashData([.. ak, .. auth]).CopyTo(qe, 320);
        }

        wanted.QeReport?.Invoke(qe);
        var pem = Pem(Pck(wanted), _ca, _root) + "\0";
        pem = wanted.Pem?.Invoke(pem) ?? pem;
        var chain = Encoding.ASCII.GetBytes(pem);
        byte[] certification = [.. qe, .. (wanted.SignQeWithAnother ? stranger : _pckKey).SignData(qe, HashAlgorithmName.SHA256), .. U16(32), .. auth, .. U16(wanted.InnerType), .. U32(chain.Length), .. chain];
        byte[] data = [.. (wanted.SignQuoteWithAnother ? stranger : _akKey).SignData(signed, HashAlgorithmName.SHA256), .. ak, .. U16(wanted.OuterType), .. U32(certification.Length), .. certification];
        return [.. signed, .. U32(data.Length), .. data];
    }

    private X509Certificate2 Pck(Case wanted)
    {
        var request = new CertificateRequest(Name(wanted.PckName), _pckKey, HashAlgorithmName.SHA256);
        if (wanted.WithPckExtension)
        {
            request.CertificateExtensions.Add(new X509Extension(Arc, Extension(wanted), critical: false));
        }

        return request.Create(_ca.SubjectName, X509SignatureGenerator.CreateForECDsa(_caKey), Now.AddYears(-1), wanted.PckTo, [9]);
    }

    private static byte[] Extension(Case wanted)
    {
        var writer = new AsnWriter(AsnEncodingRules.DER);
        using (writer.PushSequence())
        {
            using (writer.PushSequence())
            {
                writer.WriteObjectIdentifier(Arc + ".2");
                using (writer.PushSequence())
                {
                    for (var i = 0; i < 16; i++)
                    {
                        Pair($".2.{i + 1}", wanted.Components[i]);
                    }

                    Pair(".2.17", wanted.PceSvn);
                }
            }

            Octets(".3", wanted.PceId);
            Octets(".4", wanted.Fmspc);
        }

        return writer.Encode();

        void Pair(string oid, int value)
        {
            using var pair = writer.PushSequence();
            writer.WriteObjectIdentifier(Arc + oid);
            writer.WriteInteger(value);
        }

        void Octets(string oid, byte[] value)
        {
            using var pair = writer.PushSequence();
            writer.WriteObjectIdentifier(Arc + oid);
            writer.WriteOctetString(value);
        }
    }

    private TdxCollateral Collateral(Case wanted)
    {
        var signer = Sign(new CertificateRequest(Name(wanted.TcbSigner), _tcbKey, HashAlgorithmName.SHA256), _root, _rootKey, [7]);
        var tcb = TcbInfo();
        wanted.TcbInfo?.Invoke(tcb);
        var qe = QeIdentity();
        wanted.QeIdentity?.Invoke(qe);
        var (tcbText, qeText) = (tcb.ToJsonString(), qe.ToJsonString());
        var (tcbSignature, qeSignature) = (_tcbKey.SignData(Encoding.UTF8.GetBytes(tcbText), HashAlgorithmName.SHA256), _tcbKey.SignData(Encoding.UTF8.GetBytes(qeText), HashAlgorithmName.SHA256));
        var chain = Pem(signer, _root);
        return new TdxCollateral
        {
            PckCrlIssuerChain = Pem(_ca, _root),
            RootCaCrl = Crl(_root, _rootKey, wanted.RootCrlTo, wanted.ForgeRootCrl, [.. wanted.RevokeCa ? new[] { (byte)2 } : [], .. wanted.RevokeTcbSigner ? new[] { (byte)7 } : []]),
            PckCrl = wanted.PckCrlFromRoot ? Crl(_root, _rootKey, wanted.CrlTo, false, []) : Crl(_ca, _caKey, wanted.CrlTo, wanted.ForgePckCrl, wanted.RevokePck ? [9] : []),
            TcbInfoIssuerChain = chain,
            TcbInfo = tcbText,
            TcbInfoSignature = wanted.TcbSignature?.Invoke(tcbSignature) ?? tcbSignature,
            QeIdentityIssuerChain = chain,
            QeIdentity = qeText,
            QeIdentitySignature = wanted.QeSignature?.Invoke(qeSignature) ?? qeSignature,
        };
    }

    private static JsonObject TcbInfo() => JsonNode.Parse(
        $$"""
        {"id":"TDX","version":3,"issueDate":"2026-06-01T00:00:00Z","nextUpdate":"2026-07-01T00:00:00Z","fmspc":"00806F050000","pceId":"0000","tcbType":0,"tcbEvaluationDataNumber":19,
        "tdxModule":{"mrsigner":"{{new string('0', 96)}}","attributes":"0000000000000000","attributesMask":"FFFFFFFFFFFFFFFF"},
        "tdxModuleIdentities":[{"id":"TDX_01","mrsigner":"{{new string('0', 96)}}","attributes":"0000000000000000","attributesMask":"FFFFFFFFFFFFFFFF","tcbLevels":[
        {"tcb":{"isvsvn":4},"tcbDate":"2026-01-15T00:00:00Z","tcbStatus":"UpToDate"},{"tcb":{"isvsvn":2},"tcbDate":"2025-01-15T00:00:00Z","tcbStatus":"OutOfDate"}]}],
        "tcbLevels":[{{Level("7,7,2,2,3,1,0,3", 11, "5,0,7", "UpToDate")}},{{Level("6,6,2,2,3,1,0,3", 11, "5,0,6", "OutOfDate")}}]}
        """)!.AsObject();

    public static string Level(string sgx, int pceSvn, string tdx, string status) =>
        $$"""{"tcb":{"sgxtcbcomponents":[{{Svns(sgx)}}],"pcesvn":{{pceSvn}},"tdxtcbcomponents":[{{Svns(tdx)}}]},"tcbDate":"2026-01-15T00:00:00Z","tcbStatus":"{{status}}","advisoryIDs":["INTEL-SA-09999"]}""";

    private static string Svns(string first) =>
        string.Join(',', first.Split(',').Concat(Enumerable.Repeat("0", 16)).Take(16).Select(static svn => $$"""{"svn":{{svn}}}"""));

    private static JsonObject QeIdentity() => JsonNode.Parse(
        """
        {"id":"TD_QE","version":2,"issueDate":"2026-06-01T00:00:00Z","nextUpdate":"2026-07-01T00:00:00Z","tcbEvaluationDataNumber":19,"miscselect":"00000000","miscselectMask":"FFFFFFFF",
        "attributes":"11000000000000000000000000000000","attributesMask":"FBFFFFFFFFFFFFFF0000000000000000","mrsigner":"DC9E2A7C6F948F17474E34A7FC43ED030F7C1563F1BABDDF6340C82E0E54A8C5","isvprodid":2,
        "tcbLevels":[{"tcb":{"isvsvn":6},"tcbDate":"2026-01-15T00:00:00Z","tcbStatus":"UpToDate"},{"tcb":{"isvsvn":4},"tcbDate":"2024-01-15T00:00:00Z","tcbStatus":"OutOfDate"},
        {"tcb":{"isvsvn":2},"tcbDate":"2023-01-15T00:00:00Z","tcbStatus":"Revoked"}]}
        """)!.AsObject();

    private static byte[] Crl(X509Certificate2 issuer, ECDsa key, DateTimeOffset to, bool forged, byte[] serials)
    {
        var builder = new CertificateRevocationListBuilder();
        foreach (var serial in serials)
        {
            builder.AddEntry([serial]);
        }

        using var stranger = P256();
        return builder.Build(
            issuer.SubjectName, X509SignatureGenerator.CreateForECDsa(forged ? stranger : key), BigInteger.One, to, HashAlgorithmName.SHA256,
            X509AuthorityKeyIdentifierExtension.CreateFromIssuerNameAndSerialNumber(issuer.IssuerName, issuer.SerialNumberBytes.Span), Now.AddDays(-20));
    }

    private static X509Certificate2 Sign(CertificateRequest request, X509Certificate2 issuer, ECDsa key, byte[] serial) =>
        request.Create(issuer.SubjectName, X509SignatureGenerator.CreateForECDsa(key), Now.AddYears(-4), Now.AddYears(10), serial);

    private static X500DistinguishedName Name(string commonName) => new($"O=Simulated TEE (test only), CN={commonName}");

    private static string Pem(params X509Certificate2[] certificates) => string.Concat(certificates.Select(static certificate => certificate.ExportCertificatePem() + "\n"));

    private static byte[] Point(ECDsa key)
    {
        var point = key.ExportParameters(false).Q;
        return [.. point.X!, .. point.Y!];
    }

    private static ECDsa P256() => ECDsa.Create(ECCurve.NamedCurves.nistP256);

    private static byte[] U16(int value) => BitConverter.GetBytes((ushort)value);

    private static byte[] U32(int value) => BitConverter.GetBytes(value);
}
