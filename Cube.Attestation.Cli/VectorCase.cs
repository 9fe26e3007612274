using System.Globalization;
using System.Text;
using System.Text.Json;
using Cube.Attestation.Appraisal;
using Cube.Attestation.Atls;
using Cube.Attestation.Azure;
using Cube.Attestation.Certificates;
using Cube.Attestation.Evidence;
using Cube.Attestation.Parsing;
using Cube.Attestation.Tdx;
using Cube.Attestation.Verdicts;

namespace Cube.Attestation.Cli;

/// <summary>
/// A directory of Evidence files, with the members <c>tech</c> and <c>verify</c> of its manifest entry. An unknown
/// technology, an unknown input or an unreadable file is an error.
/// </summary>
internal sealed class VectorCase
{
    private static readonly string[] _technologies = ["snp", "tdx", "az-snp", "az-tdx", "vtpm", "gcp", "maa", "atls", "simulated"];
    private static readonly string[] _inputs =
    [
        "at", "root", "nonce", "user_data", "expect_report_data", "max_vmpl", "require_crl", "crl", "allow_masked_chip_id",
        "issuer", "tee", "max_age", "require_compliance", "measurement", "vmsas", "mrtd", "collateral",
    ];

    private readonly string _directory;
    private readonly JsonElement _verify;
    private readonly string _technology;

    public VectorCase(string directory, JsonElement entry)
    {
        _directory = directory;
        _technology = entry.Text("tech", Codes.Malformed);
        _verify = entry.Optional("verify") ?? default;
    }

    /// <summary>True if the case contains no Evidence, but input for parsers or a Trust Anchor.</summary>
    public bool IsData => !Has("report.bin") && !Has("quote.bin") && !Has("tdreport.bin") && !Has("hcl_report.bin") && !Has("endorsement.binarypb")
        && !Has("token.jwt") && !Has("evidence.json") && Files("quote*.tpms_attest").Length == 0;

    public bool IsSimulated => _technology == "simulated" || Has("evidence.json");

    /// <exception cref="AppraisalException">Code <see cref="Codes.Malformed"/>: unknown technology or input.</exception>
    public void RequireKnown()
    {
        AppraisalException.ThrowUnless(_technologies.Contains(_technology), Codes.Malformed, $"The technology '{_technology}' is unknown.");
        if (_verify.ValueKind == JsonValueKind.Undefined)
        {
            return;
        }

        AppraisalException.ThrowUnless(_verify.ValueKind == JsonValueKind.Object, Codes.Malformed, "'verify' is not an object.");
        foreach (var input in _verify.EnumerateObject())
        {
            AppraisalException.ThrowUnless(_inputs.Contains(input.Name), Codes.Malformed, $"The input '{input.Name}' is unknown.");
        }
    }

    public DateTimeOffset At(TimeProvider clock) => Text("at") is not { } at ? clock.GetUtcNow()
        : DateTimeOffset.TryParse(at, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var instant) ? instant
        : throw new AppraisalException(Codes.Malformed, "'at' is not an instant.");

    public EvidenceDocument Evidence()
    {
        if (IsSimulated)
        {
            var key = Encoding.UTF8.GetString(Bytes("dev_public_key.pem"));
            using var ec = System.Security.Cryptography.ECDsa.Create();
            ec.ImportFromPem(key);
            return new EvidenceDocument
            {
                Type = EvidenceType.Simulated,
                Simulated = new SimulatedStatement(Encoding.UTF8.GetString(Bytes("evidence.json")), Bytes("signature.der"), ec.ExportSubjectPublicKeyInfo()),
            };
        }

        return new EvidenceDocument
        {
            Type = Type(),
            Report = Optional("report.bin"),
            Certificates = SnpCertificates(),
            Crl = Text("crl") is { } crl ? Bytes(crl) : null,
            UvmEndorsement = Optional("uvm_reference_info.cose"),
            SecurityPolicy = Optional("security_policy.rego"),
            Quote = Optional("quote.bin") ?? Optional("td_quote.bin") ?? Optional("tdreport.bin"),
            Collateral = Collateral(),
            CcEventLog = Optional("ccel.bin"),
            HclReport = Optional("hcl_report.bin"),
            TpmQuotes = TpmQuotes(),
            Pcrs = Pcrs(),
            EventLog = TpmQuotes().Count > 0 ? Optional("eventlog.bin") : null,
            AkPublic = Optional("ak.tpmt_public"),
            AkSpki = Optional("ak_spki.der"),
            AkCertificates = AkCertificates(),
            LaunchEndorsement = Optional("endorsement.binarypb"),
            Token = Has("token.jwt") ? Encoding.ASCII.GetString(Bytes("token.jwt")).Trim() : null,
        };
    }

    /// <summary>The appraisal options, with the keys and the root certificate of the case itself. Used by vector runs only.</summary>
    public AppraisalOptions OptionsWithOwnRoots(EvidenceDocument evidence) => Options(evidence) with
    {
        MaaKeys = evidence.Token is null ? null : MaaKeys.Parse(Bytes("jwks.json")),
        GoogleRoot = evidence.LaunchEndorsement is null ? null : OwnRoot() ?? Certificate.Parse(Bytes("root.der")),
    };

    /// <summary>The appraisal options. Absent inputs are not compared.</summary>
    public AppraisalOptions Options(EvidenceDocument evidence) => new()
    {
        ReportData = Has("session.json") ? SessionBinder() : Hex("expect_report_data"),
        Nonce = evidence.Token is null ? Hex("nonce") : null,
        UserData = Hex("user_data"),
        MaxVmpl = Number("max_vmpl") is { } vmpl ? (uint)vmpl : null,
        RequireCrl = Flag("require_crl") ?? false,
        AllowMaskedChipId = Flag("allow_masked_chip_id") ?? false,
        Maa = evidence.Token is { } token
            ? new MaaRequirements(Text("issuer") ?? IssuerOf(token), Text("tee") ?? "sevsnpvm", Number("max_age") is { } age ? TimeSpan.FromSeconds(age) : null, Flag("require_compliance") ?? true, Hex("nonce"))
            : null,
        Measurement = Hex("measurement"),
        MrTd = Hex("mrtd"),
        Vcpus = Number("vmsas") is { } vcpus ? (uint)vcpus : null,
    };

    /// <summary>The vendors' Trust Anchors, or the root certificate that the case names. Used by vector runs only.</summary>
    public TrustAnchors Anchors()
    {
        var anchors = TrustAnchors.Vendor;
        // The attestation key of a plain vTPM needs no certificate chain; Google's has one.
        if (_technology == "vtpm")
        {
            anchors = anchors with { GoogleTpm = [], GoogleTpmIntermediates = [] };
        }

        if (Text("root") == "synthetic ARK")
        {
            List<Certificate> own = [.. Certificate.ParsePem(Bytes("chain.pem"), maxCount: 4).Where(IsRoot)];
            return anchors with { Amd = own, AmdIntermediates = [] };
        }

        return OwnRoot() is { } root
            ? anchors with { Amd = [root], AmdIntermediates = [], Intel = [root], AzureTpm = [.. anchors.AzureTpm, root], GoogleTpm = [root] }
            : anchors;
    }

    private Certificate? OwnRoot()
    {
        if (Text("root") is not { } root || root == "synthetic ARK" || root.StartsWith("roots/", StringComparison.Ordinal))
        {
            return null;
        }

        var bytes = Bytes(root);
        var certificate = bytes.AsSpan().StartsWith("-----BEGIN"u8)
            ? Certificate.ParsePem(bytes, maxCount: 1) is [var only] ? only : throw new AppraisalException(Codes.Pem, "The root file must contain exactly one certificate.")
            : Certificate.Parse(bytes);
        return IsRoot(certificate) ? certificate : throw new AppraisalException(Codes.UntrustedRoot, "The root certificate is not self-signed.");
    }

    /// <summary>The case supplies its own root, so that the self-signature must be verified.</summary>
    private static bool IsRoot(Certificate certificate) => certificate.IsSelfIssued && certificate.IsSignedBy(certificate);

    private string Type() => true switch
    {
        _ when Has("hcl_report.bin") => _technology == "az-tdx" ? EvidenceType.AzureTdx : EvidenceType.AzureSnp,
        _ when Has("report.bin") => EvidenceType.SevSnp,
        _ when Has("quote.bin") || Has("tdreport.bin") => EvidenceType.Tdx,
        _ when Has("token.jwt") => EvidenceType.Maa,
        _ when Has("endorsement.binarypb") => EvidenceType.GcpLaunch,
        _ => EvidenceType.Vtpm,
    };

    private List<byte[]> SnpCertificates()
    {
        if ((Optional("vek.der") ?? Optional("vcek.der") ?? Optional("vlek.der")) is not { } leaf)
        {
            return [];
        }

        return Has("chain.pem") ? [leaf, .. Pem.Certificates(Bytes("chain.pem"), maxCount: 4)] : [leaf];
    }

    private TdxCollateral? Collateral()
    {
        var wanted = Flag("collateral");
        return wanted == true || (wanted is null && Has("collateral.json")) ? TdxCollateral.Parse(Bytes("collateral.json")) : null;
    }

    private List<TpmQuoteParts> TpmQuotes() => Has("tpm_quote.msg")
        ? [new TpmQuoteParts(Bytes("tpm_quote.msg"), Bytes("tpm_quote.sig"))]
        : [.. Files("quote*.tpms_attest").Order(StringComparer.Ordinal).Select(file => new TpmQuoteParts(Bytes(file), Bytes(Path.ChangeExtension(file, ".tpmt_signature"))))];

    /// <summary>The file name contains the bank of an array.</summary>
    private byte[]? Pcrs()
    {
        var file = Files("pcrs*.json").Where(static name => !name.Contains("replayed", StringComparison.Ordinal)).Order(StringComparer.Ordinal).FirstOrDefault();
        if (file is null)
        {
            return null;
        }

        using var json = Json.Parse(Bytes(file), Codes.TpmPcrFormat);
        var bank = Path.GetFileNameWithoutExtension(file) is ['p', 'c', 'r', 's', '_', .. var name] ? name : "sha256";
        return json.RootElement.ValueKind != JsonValueKind.Array || bank == "sha256"
            ? Bytes(file)
            : JsonSerializer.SerializeToUtf8Bytes(new Dictionary<string, object>
            {
                [bank] = json.RootElement.EnumerateArray().Select(static (value, index) => (value, index)).ToDictionary(static pair => pair.index.ToString(CultureInfo.InvariantCulture), static pair => pair.value.GetString()),
            });
    }

    private List<byte[]> AkCertificates()
    {
        if (_technology == "vtpm" && Text("root") is null)
        {
            return [];
        }

        var leaf = Files("ak_cert*.der").Order(StringComparer.Ordinal).FirstOrDefault();
        return leaf is null ? [] : [Bytes(leaf), .. Files("ak_intermediate*.der").Order(StringComparer.Ordinal).Select(file => Bytes(file))];
    }

    private byte[] SessionBinder()
    {
        using var json = Json.Parse(Bytes("session.json"), Codes.Malformed);
        var session = json.RootElement;
        return Binder.Compute(
            session.Hex("spki_der", Codes.Malformed), session.Hex("nonce", Codes.Malformed), session.Text("cb_type", Codes.Malformed), session.Hex("cb_value", Codes.Malformed));
    }

    private static string IssuerOf(string token)
    {
        var parts = token.Split('.');
        AppraisalException.ThrowUnless(parts.Length == 3, Codes.JwtFormat, "The token is not a signed JWT.");
        using var payload = Json.Parse(Json.Base64Of(parts[1], Codes.JwtFormat), Codes.JwtFormat);
        return payload.RootElement.Text("iss", Codes.JwtIssuer);
    }

    private JsonElement? Input(string name) => _verify.Optional(name);

    private string? Text(string name) => Input(name) is { } value ? (value.ValueKind == JsonValueKind.String ? value.GetString() : throw Wrong(name)) : null;

    private bool? Flag(string name) => Input(name) is { } value ? (value.ValueKind is JsonValueKind.True or JsonValueKind.False ? value.GetBoolean() : throw Wrong(name)) : null;

    private int? Number(string name) => Input(name) is { } value ? (value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out var number) && number >= 0 ? number : throw Wrong(name)) : null;

    private byte[]? Hex(string name) => Text(name) is { } text ? Json.Hex(text, Codes.Malformed) : null;

    private static AppraisalException Wrong(string name) => new(Codes.Malformed, $"The input '{name}' has the wrong type.");

    private bool Has(string file) => File.Exists(Path.Combine(_directory, file));

    private string[] Files(string pattern) => Directory.Exists(_directory) ? [.. Directory.GetFiles(_directory, pattern).Select(static file => Path.GetFileName(file))] : [];

    private byte[]? Optional(string file) => Has(file) ? Bytes(file) : null;

    /// <summary>Reads a file of the case. The name must not contain a path.</summary>
    private byte[] Bytes(string file)
    {
        AppraisalException.ThrowUnless(file == Path.GetFileName(file) && Has(file), Codes.EvidencePart, $"The file '{file}' is missing.");
        var path = Path.Combine(_directory, file);
        AppraisalException.ThrowUnless(new FileInfo(path).Length <= 4 * EvidenceDocument.MaxBytes, Codes.TooLarge, $"The file '{file}' is too large.");
        return File.ReadAllBytes(path);
    }
}
