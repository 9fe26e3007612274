using System.Buffers.Binary;
using System.Globalization;
using System.Text.Json;
using Cube.Attestation.Evidence;
using Cube.Attestation.Snp;

namespace Cube.Attestation.Policy;

/// <summary>
/// Imports policy files of Cube's earlier Go implementation: protobuf JSON of the check configurations of go-sev-guest and go-tdx-guest, byte fields in
/// base64. A requirement that <see cref="AttestationPolicy"/> cannot express is an error, because dropping it would accept more machines.
/// </summary>
public static class LegacyPolicyImporter
{
    private static readonly string[] _snpFields =
    [
        "chip_id", "family_id", "image_id", "host_data", "report_data", "report_id", "report_id_ma", "measurement", "minimum_build", "minimum_version",
        "minimum_tcb", "minimum_launch_tcb", "minimum_guest_svn", "permit_provisional_firmware", "policy", "product", "require_author_key", "require_id_block",
        "trusted_id_key_hashes", "trusted_author_key_hashes", "vmpl",
    ];

    private static readonly string[] _tdxBodyFields =
        ["minimumTeeTcbSvn", "mrSeam", "tdAttributes", "xfam", "mrTd", "mrConfigId", "mrOwner", "mrOwnerConfig", "rtmrs", "reportData", "anyMrTd", "enableTdDebugCheck"];

    /// <summary>Whether the JSON is in the format of the earlier implementation.</summary>
    public static bool IsLegacyFormat(JsonElement json) =>
        json.ValueKind == JsonValueKind.Object && (json.TryGetProperty("policy", out _) || json.TryGetProperty("root_of_trust", out _) || json.TryGetProperty("rootOfTrust", out _) || json.TryGetProperty("pcr_values", out _));

    /// <exception cref="PolicyException">A field is unknown, has the wrong type, or cannot be expressed.</exception>
    public static AttestationPolicy Import(ReadOnlyMemory<byte> utf8)
    {
        try
        {
            using var document = JsonDocument.Parse(utf8, new JsonDocumentOptions { AllowDuplicateProperties = false });
            var root = document.RootElement;
            var policy = root.TryGetProperty("policy", out var found) && found.ValueKind == JsonValueKind.Object && (found.TryGetProperty("headerPolicy", out _) || found.TryGetProperty("tdQuoteBodyPolicy", out _))
                ? Tdx(root, found)
                : Snp(root);
            PolicyRules.Validate(policy, allowSimulated: false);
            return policy;
        }
        catch (Exception exception) when (exception is JsonException or FormatException or InvalidOperationException or OverflowException or KeyNotFoundException)
        {
            throw new PolicyException("The policy is not in the format of the earlier implementation: a field is missing or has the wrong type.", exception);
        }
    }

    private static AttestationPolicy Snp(JsonElement root)
    {
        RejectUnknownMembers(root, "the file", "pcr_values", "policy", "root_of_trust");
        var policy = root.GetProperty("policy");
        RejectUnknownMembers(policy, "policy", _snpFields);
        RefuseSet(policy, "report_data", "it binds evidence to a connection");
        RefuseSet(policy, "report_id", "it changes with every start of a machine");
        RefuseSet(policy, "report_id_ma", "name the migration agent in allow_migration_agent instead");
        Require(!Flag(policy, "permit_provisional_firmware"), "policy.permit_provisional_firmware: committed firmware is not optional.");
        var trust = root.TryGetProperty("root_of_trust", out var given) ? given : default;
        if (trust.ValueKind == JsonValueKind.Object)
        {
            RejectUnknownMembers(trust, "root_of_trust", "check_crl", "disallow_network", "product", "product_line", "cabundle_paths", "cabundles");
            Require(!trust.TryGetProperty("cabundle_paths", out var paths) || paths.GetArrayLength() == 0, "root_of_trust.cabundle_paths: the vendors' roots are part of the product.");
        }

        var product = Product(policy, trust);
        var guestSvn = UInt(policy, "minimum_guest_svn") ?? 0;
        var idKeys = List(policy, "trusted_id_key_hashes").Select(hash => new IdKeyPolicy(hash, (uint)guestSvn)).ToList();
        Require(idKeys.Count > 0 || !Flag(policy, "require_id_block"), "policy.require_id_block: give trusted_id_key_hashes.");
        var pcrs = Pcrs(root);
        var firmware = policy.TryGetProperty("minimum_version", out var version) && version.GetString() is { Length: > 0 } text ? $"{text}.{UInt(policy, "minimum_build") ?? 0}" : null;
        return new AttestationPolicy
        {
            Types = pcrs is null ? [EvidenceType.SevSnp, EvidenceType.AzureSnp] : [EvidenceType.AzureSnp],
            Azure = pcrs is null ? null : new AzurePolicy { Pcrs = pcrs },
            Snp = new SnpPolicy
            {
                Measurements = One(policy, "measurement"),
                IdKeys = idKeys.Count > 0 ? idKeys : null,
                AuthorKeys = List(policy, "trusted_author_key_hashes") is { Count: > 0 } authors ? authors : null,
                Products = product is null ? new SnpPolicy().Products : [product],
                MinimumTcb = Tcb(policy, "minimum_tcb", product),
                MinimumLaunchTcb = Tcb(policy, "minimum_launch_tcb", product),
                MinimumFirmware = firmware,
                MinimumGuestSvn = guestSvn > 0 ? (uint)guestSvn : null,
                MaxVmpl = policy.TryGetProperty("vmpl", out var vmpl) ? (uint)(UInt(vmpl, "value") ?? 0) : 0,
                GuestPolicy = UInt(policy, "policy"),
                HostData = One(policy, "host_data"),
                ChipIds = One(policy, "chip_id"),
                FamilyId = One(policy, "family_id")?[0],
                ImageId = One(policy, "image_id")?[0],
                // An absent check_crl keeps the default, which requires the list.
                RequireCrl = trust.ValueKind != JsonValueKind.Object || !trust.TryGetProperty("check_crl", out var crl) || crl.GetBoolean(),
            },
        };
    }

    private static AttestationPolicy Tdx(JsonElement root, JsonElement policy)
    {
        RejectUnknownMembers(root, "the file", "policy", "rootOfTrust");
        RejectUnknownMembers(policy, "policy", "headerPolicy", "tdQuoteBodyPolicy");
        var header = policy.TryGetProperty("headerPolicy", out var given) ? given : default;
        var body = policy.TryGetProperty("tdQuoteBodyPolicy", out var quote) ? quote : default;
        if (header.ValueKind == JsonValueKind.Object)
        {
            RejectUnknownMembers(header, "policy.headerPolicy", "minimumQeSvn", "minimumPceSvn", "qeVendorId");
        }

        Require(body.ValueKind == JsonValueKind.Object, "policy.tdQuoteBodyPolicy: it is missing.");
        RejectUnknownMembers(body, "policy.tdQuoteBodyPolicy", _tdxBodyFields);
        RefuseSet(body, "reportData", "it binds evidence to a connection");
        var rtmrs = List(body, "rtmrs");
        Require(rtmrs.Count is 0 or 4, "policy.tdQuoteBodyPolicy.rtmrs: give all four values.");
        List<string> mrTds = [.. One(body, "mrTd") ?? [], .. List(body, "anyMrTd")];
        return new AttestationPolicy
        {
            Types = [EvidenceType.Tdx, EvidenceType.AzureTdx],
            Tdx = new TdxPolicy
            {
                MrTds = mrTds.Count > 0 ? mrTds : null,
                Rtmrs = rtmrs.Count == 4 ? Enumerable.Range(0, 4).ToDictionary(static i => i.ToString(CultureInfo.InvariantCulture), i => (IReadOnlyList<string>)[rtmrs[i]]) : null,
                MinimumTeeTcbSvn = One(body, "minimumTeeTcbSvn")?[0],
                MinimumQeSvn = (int?)UInt(header, "minimumQeSvn"),
                MinimumPceSvn = (int?)UInt(header, "minimumPceSvn"),
                MrSeams = One(body, "mrSeam"),
                MrConfigIds = One(body, "mrConfigId"),
                MrOwners = One(body, "mrOwner"),
                MrOwnerConfigs = One(body, "mrOwnerConfig"),
                Xfam = One(body, "xfam")?[0],
                TdAttributes = One(body, "tdAttributes")?[0],
            },
        };
    }

    private static string? Product(JsonElement policy, JsonElement trust)
    {
        var name = policy.TryGetProperty("product", out var product) && product.TryGetProperty("name", out var text) ? text.GetString()
            : trust.ValueKind == JsonValueKind.Object && trust.TryGetProperty("product_line", out var line) ? line.GetString() : null;
        return name switch
        {
            null or "" or "SEV_PRODUCT_UNKNOWN" => null,
            "SEV_PRODUCT_MILAN" or "Milan" => "Milan",
            "SEV_PRODUCT_GENOA" or "Genoa" => "Genoa",
            "SEV_PRODUCT_TURIN" or "Turin" => "Turin",
            _ => throw new PolicyException("policy.product: the value is unknown."),
        };
    }

    private static Dictionary<string, IReadOnlyDictionary<string, IReadOnlyList<string>>>? Pcrs(JsonElement root)
    {
        if (!root.TryGetProperty("pcr_values", out var banks))
        {
            return null;
        }

        var pcrs = new Dictionary<string, IReadOnlyDictionary<string, IReadOnlyList<string>>>();
        foreach (var bank in banks.EnumerateObject().Where(static bank => bank.Value.EnumerateObject().Any()))
        {
            Require(bank.Name is "sha256" or "sha384" or "sha512", $"pcr_values.{bank.Name}: policies support sha256, sha384 and sha512 only.");
            pcrs[bank.Name] = bank.Value.EnumerateObject().ToDictionary(static pcr => pcr.Name, pcr => (IReadOnlyList<string>)[pcr.Value.GetString() ?? throw new PolicyException($"pcr_values.{bank.Name}: a value is null.")]);
        }

        return pcrs.Count > 0 ? pcrs : null;
    }

    private static Dictionary<string, TcbPolicy>? Tcb(JsonElement policy, string name, string? product)
    {
        if (UInt(policy, name) is not (> 0 and var number))
        {
            return null;
        }

        Require(product is not null, $"policy.{name}: the layout of a TCB depends on the product; give product.");
        Span<byte> bytes = stackalloc byte[8];
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, number);
        var tcb = SnpTcb.Parse(bytes, hasFmc: product == "Turin");
        return new() { [product!] = new TcbPolicy(tcb.BootLoader, tcb.Tee, tcb.Snp, tcb.Microcode, tcb.Fmc) };
    }

    private static void RefuseSet(JsonElement json, string name, string why) =>
        Require(One(json, name) is null, $"{name}: it is not allowed in a policy; {why}.");

    /// <summary>In these files, a value of all zeros means "not set".</summary>
    private static List<string>? One(JsonElement json, string name) =>
        json.ValueKind == JsonValueKind.Object && json.TryGetProperty(name, out var value) && value.ValueKind != JsonValueKind.Null
        && value.GetBytesFromBase64() is { Length: > 0 } bytes && bytes.AsSpan().ContainsAnyExcept((byte)0)
            ? [Convert.ToHexStringLower(bytes)]
            : null;

    private static List<string> List(JsonElement json, string name) =>
        json.TryGetProperty(name, out var list) && list.ValueKind == JsonValueKind.Array ? [.. list.EnumerateArray().Select(static item => Convert.ToHexStringLower(item.GetBytesFromBase64()))] : [];

    private static bool Flag(JsonElement json, string name) => json.TryGetProperty(name, out var flag) && flag.GetBoolean();

    /// <summary>Protobuf JSON encodes 64-bit numbers as strings.</summary>
    private static ulong? UInt(JsonElement json, string name) =>
        json.ValueKind != JsonValueKind.Object || !json.TryGetProperty(name, out var value) || value.ValueKind == JsonValueKind.Null ? null
        : value.ValueKind == JsonValueKind.String ? ulong.Parse(value.GetString()!, NumberStyles.None, CultureInfo.InvariantCulture)
        : value.GetUInt64();

    private static void RejectUnknownMembers(JsonElement json, string where, params string[] names)
    {
        foreach (var member in json.EnumerateObject())
        {
            Require(names.Contains(member.Name), $"{where}: the field '{member.Name}' is unknown.");
        }
    }

    private static void Require(bool condition, string problem)
    {
        if (!condition)
        {
            throw new PolicyException(problem);
        }
    }
}
