using System.Globalization;
using System.Text.Json;
using Cube.Attestation.Parsing;

namespace Cube.Attestation.Tdx;

/// <summary>The common part of TCB info and QE identity: validity period and <c>tcbEvaluationDataNumber</c>.</summary>
internal sealed record Validity(DateTimeOffset IssueDate, DateTimeOffset NextUpdate, int EvaluationNumber)
{
    public static Validity Read(JsonElement json, string code) => new(
        Date(json.Text("issueDate", code), code), Date(json.Text("nextUpdate", code), code), json.Number("tcbEvaluationDataNumber", code));

    public void Check(DateTimeOffset now, string code) =>
        AppraisalException.ThrowUnless(IssueDate <= now && now <= NextUpdate, code, "Intel's document has expired or is not valid yet.");

    private static DateTimeOffset Date(string text, string code) =>
        DateTimeOffset.TryParseExact(text, "yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var date)
            ? date
            : throw new AppraisalException(code, "A date cannot be read.");
}

/// <summary>A TCB level of a TDX module or enclave: the status of this SVN and higher ones.</summary>
internal sealed record IsvLevel(int Svn, TcbStatus Status, IReadOnlyList<string> Advisories)
{
    /// <returns>In descending order of SVN, so that the first match applies.</returns>
    public static List<IsvLevel> ReadAll(JsonElement owner, string code) =>
    [
        .. owner.Items("tcbLevels", code)
            .Select(level => new IsvLevel(level.Member("tcb", code).Number("isvsvn", code), StatusOf(level, code), AdvisoriesOf(level)))
            .OrderByDescending(static level => level.Svn),
    ];

    public static TcbStatus StatusOf(JsonElement level, string code) =>
        Enum.TryParse<TcbStatus>(level.Text("tcbStatus", code), ignoreCase: false, out var status) && level.Text("tcbStatus", code) == status.ToString()
            ? status
            : throw new AppraisalException(code, "A TCB status is unknown.");

    public static IReadOnlyList<string> AdvisoriesOf(JsonElement level) =>
        level.Optional("advisoryIDs") is { ValueKind: JsonValueKind.Array } list ? [.. list.EnumerateArray().Select(static id => id.ToString())] : [];
}

/// <summary>TCB info for TDX (Intel PCS API v4, GET /tdx/certification/v4/tcb), version 3.</summary>
internal sealed record TcbInfo(
    Validity Validity, byte[] Fmspc, byte[] PceId, TdxModule Module, IReadOnlyDictionary<string, TdxModule> ModuleIdentities, IReadOnlyList<TcbLevel> Levels)
{
    /// <exception cref="AppraisalException">Codes <see cref="Codes.TcbInfoMismatch"/> and <see cref="Codes.TcbJson"/>.</exception>
    public static TcbInfo Parse(byte[] utf8)
    {
        const string Code = Codes.TcbJson;
        using var document = Json.Parse(utf8, Code);
        var json = document.RootElement;
        AppraisalException.ThrowUnless(json.Text("id", Code) == "TDX" && json.Number("version", Code) >= 3, Codes.TcbInfoMismatch, "The TCB info is not for TDX version 3.");
        var identities = new Dictionary<string, TdxModule>(StringComparer.Ordinal);
        if (json.Optional("tdxModuleIdentities") is { ValueKind: JsonValueKind.Array } list)
        {
            foreach (var identity in list.EnumerateArray())
            {
                AppraisalException.ThrowUnless(identities.TryAdd(identity.Text("id", Code), TdxModule.Read(identity, IsvLevel.ReadAll(identity, Code))), Code, "The TCB info contains a TDX module identity twice.");
            }
        }

        var levels = json.Items("tcbLevels", Code).Select(TcbLevel.Read).Order(TcbLevel.Descending).ToList();
        return new TcbInfo(
            Validity.Read(json, Code), json.Hex("fmspc", Code, 6), json.Hex("pceId", Code, 2), TdxModule.Read(json.Member("tdxModule", Code), []), identities, levels);
    }
}

/// <summary>The identity of a TDX module in the TCB info.</summary>
internal sealed record TdxModule(byte[] MrSigner, byte[] Attributes, byte[] Mask, IReadOnlyList<IsvLevel> Levels)
{
    public static TdxModule Read(JsonElement json, IReadOnlyList<IsvLevel> levels) => new(
        json.Hex("mrsigner", Codes.TcbJson, 48), json.Hex("attributes", Codes.TcbJson, 8), json.Hex("attributesMask", Codes.TcbJson, 8), levels);
}

/// <summary>A TCB level of the platform: the status of components that are at least this high.</summary>
internal sealed record TcbLevel(byte[] Sgx, int PceSvn, byte[] Tdx, TcbStatus Status, IReadOnlyList<string> Advisories)
{
    /// <summary>Descending lexicographic order of SGX components, PCESVN and TDX components.</summary>
    public static IComparer<TcbLevel> Descending { get; } = Comparer<TcbLevel>.Create(static (one, other) =>
        other.Sgx.AsSpan().SequenceCompareTo(one.Sgx) is not 0 and var sgx ? sgx
        : other.PceSvn != one.PceSvn ? other.PceSvn.CompareTo(one.PceSvn)
        : other.Tdx.AsSpan().SequenceCompareTo(one.Tdx));

    public static TcbLevel Read(JsonElement json)
    {
        var tcb = json.Member("tcb", Codes.TcbJson);
        return new(Components(tcb, "sgxtcbcomponents"), tcb.Number("pcesvn", Codes.TcbJson), Components(tcb, "tdxtcbcomponents"),
            IsvLevel.StatusOf(json, Codes.TcbJson), IsvLevel.AdvisoriesOf(json));
    }

    private static byte[] Components(JsonElement tcb, string name)
    {
        var numbers = tcb.Items(name, Codes.TcbJson).Select(static component => component.Number("svn", Codes.TcbJson)).ToList();
        AppraisalException.ThrowUnless(numbers.Count == 16 && numbers.TrueForAll(static svn => svn is >= 0 and <= 255), Codes.TcbJson, "A TCB level must have 16 components of 0 to 255.");
        return [.. numbers.Select(static svn => (byte)svn)];
    }
}

/// <summary>Identity of the TD quoting enclave (Intel PCS API v4, GET /tdx/certification/v4/qe/identity), version 2.</summary>
internal sealed record QeIdentity(
    Validity Validity, byte[] MiscSelect, byte[] MiscSelectMask, byte[] Attributes, byte[] AttributesMask, byte[] MrSigner, int IsvProdId, IReadOnlyList<IsvLevel> Levels)
{
    /// <exception cref="AppraisalException">Codes <see cref="Codes.QeIdentityMismatch"/> and <see cref="Codes.QeJson"/>.</exception>
    public static QeIdentity Parse(byte[] utf8)
    {
        const string Code = Codes.QeJson;
        using var document = Json.Parse(utf8, Code);
        var json = document.RootElement;
        AppraisalException.ThrowUnless(json.Text("id", Code) == "TD_QE" && json.Number("version", Code) == 2, Codes.QeIdentityMismatch, "The identity is not that of the TD quoting enclave.");
        return new QeIdentity(
            Validity.Read(json, Code), LittleEndian(json.Hex("miscselect", Code, 4)), LittleEndian(json.Hex("miscselectMask", Code, 4)),
            json.Hex("attributes", Code, 16), json.Hex("attributesMask", Code, 16), json.Hex("mrsigner", Code, 32),
            json.Number("isvprodid", Code), IsvLevel.ReadAll(json, Code));
    }

    /// <summary>The JSON contains MISCSELECT in big-endian order, the report in little-endian order.</summary>
    private static byte[] LittleEndian(byte[] bytes) => [.. bytes.Reverse()];
}
