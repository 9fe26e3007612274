using System.Security.Cryptography;
using System.Text.Json;
using Cube.Attestation.Certificates;
using Cube.Attestation.Parsing;
using Cube.Attestation.Tdx;

namespace Cube.Attestation.Azure;

/// <summary>
/// The report of Azure's paravisor, NV index 0x01400001 of its vTPM, little-endian.
/// <code>
///    0 "HCLA", version u32 (1, 2), size u32, request u32 (2), status u32 (0), 12 zeros
///   32 1184 hardware report: SNP report, or TDREPORT 1024 and zeros
/// 1216 data size u32, version u32 (1), report type u32 (2 SNP, 4 TDX), hash u32 (1 = SHA-256), variable size u32
/// 1236 runtime data, JSON: exactly these bytes are hashed into the hardware report's data; zeros follow
/// </code>
/// </summary>
internal sealed class HclReport
{
    private const int SlotSize = 1184;
    private const int RuntimeOffset = 1236;
    private const int MaxBytes = 64 * 1024;

    private HclReport(ReadOnlyMemory<byte> bytes)
    {
        var reader = new ByteReader(bytes.Span, Codes.HclSize);
        AppraisalException.ThrowUnless(reader.Take(4).SequenceEqual("HCLA"u8), Codes.HclSignature, "The structure is not an HCL report of Azure's paravisor.");
        AppraisalException.ThrowUnless(reader.U32() is 1 or 2, Codes.HclVersion, "The version of the paravisor report is unknown.");
        var size = reader.U32();
        AppraisalException.ThrowUnless(reader.U32() == 2 && reader.U32() == 0 && !reader.Take(12).ContainsAnyExcept((byte)0), Codes.HclReserved, "Reserved fields of the paravisor report have unexpected values.");
        var slot = bytes.Slice(reader.Position, Math.Min(SlotSize, reader.Left));
        reader.Take(SlotSize);
        var dataSize = reader.U32();
        AppraisalException.ThrowUnless(reader.U32() == 1, Codes.HclVersion, "The version of the runtime data is unknown.");
        var type = reader.U32();
        AppraisalException.ThrowUnless(type is 2 or 4, Codes.HclReportType, "The paravisor report contains neither an SNP nor a TDX report.");
        AppraisalException.ThrowUnless(reader.U32() == 1, Codes.HclHashType, "The hash algorithm of the runtime data is not SHA-256.");
        var variable = reader.U32();
        AppraisalException.ThrowUnless(variable <= (uint)reader.Left && dataSize == variable + 20 && size == variable + RuntimeOffset, Codes.HclSize, "The sizes in the paravisor report are inconsistent.");
        RuntimeBytes = bytes.Slice(reader.Position, (int)variable);
        reader.Take((int)variable);
        AppraisalException.ThrowUnless(!reader.Take(reader.Left).ContainsAnyExcept((byte)0), Codes.HclReserved, "Bytes other than zeros follow the runtime data.");
        IsSnp = type == 2;
        HardwareReport = IsSnp ? slot : slot[..TdReport.Size];
        AppraisalException.ThrowUnless(IsSnp || !slot.Span[TdReport.Size..].ContainsAnyExcept((byte)0), Codes.HclReserved, "Bytes other than zeros follow the TDREPORT.");
    }

    public bool IsSnp { get; }

    public ReadOnlyMemory<byte> HardwareReport { get; }

    public ReadOnlyMemory<byte> RuntimeBytes { get; }

    /// <exception cref="AppraisalException">One of the codes of Azure.</exception>
    public static HclReport Parse(ReadOnlyMemory<byte> bytes)
    {
        AppraisalException.ThrowUnless(bytes.Length is > RuntimeOffset and <= MaxBytes, Codes.HclSize, "The paravisor report is too short or too long.");
        return new HclReport(bytes);
    }

    /// <summary>The expected REPORT_DATA of the hardware report: SHA-256 of the runtime data, then 32 zeros.</summary>
    public byte[] ExpectedReportData()
    {
        var expected = new byte[64];
        SHA256.HashData(RuntimeBytes.Span, expected);
        return expected;
    }
}

/// <summary>The runtime data of the paravisor: the attestation key of the vTPM, the VM configuration, and 64 bytes of user data.</summary>
internal sealed record RuntimeData(RsaKey Ak, bool? SecureBoot, bool? ConsoleEnabled, byte[]? UserData)
{
    private const string Code = Codes.HclRuntimeData;

    /// <exception cref="AppraisalException">Code <see cref="Codes.HclRuntimeData"/>: also if there is not exactly one attestation key.</exception>
    public static RuntimeData Parse(ReadOnlyMemory<byte> utf8)
    {
        using var document = Json.Parse(utf8, Code);
        var root = document.RootElement;
        var keys = root.Items("keys", Code).Where(static key => key.Optional("kid") is { ValueKind: JsonValueKind.String } kid && kid.ValueEquals("HCLAkPub")).ToList();
        AppraisalException.ThrowUnless(keys.Count == 1 && keys[0].Text("kty", Code) == "RSA", Code, "The runtime data must contain exactly one RSA attestation key.");
        var ak = new RsaKey(new RSAParameters
        {
            Modulus = Json.Base64Of(keys[0].Text("n", Code), Code),
            Exponent = Json.Base64Of(keys[0].Text("e", Code), Code),
        });
        var configuration = root.Optional("vm-configuration");
        var userData = root.Optional("user-data") is { ValueKind: JsonValueKind.String } text ? Json.Hex(text.GetString()!, Code, 64) : null;
        return new RuntimeData(ak, Flag(configuration, "secure-boot"), Flag(configuration, "console-enabled"), userData);
    }

    private static bool? Flag(JsonElement? configuration, string name) =>
        configuration?.Optional(name) is { ValueKind: JsonValueKind.True or JsonValueKind.False } flag ? flag.GetBoolean() : null;
}
