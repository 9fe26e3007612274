using System.Text;
using System.Text.Json;
using Cube.Attestation.Parsing;
using Cube.Attestation.Tdx;

namespace Cube.Attestation.Evidence;

/// <summary>Reads and writes Evidence as JSON. Unknown or duplicate members and values of the wrong type are errors.</summary>
public static class EvidenceJson
{
    public static byte[] Write(EvidenceDocument evidence)
    {
        using var stream = new MemoryStream();
        using (var writer = new Utf8JsonWriter(stream))
        {
            writer.WriteStartObject();
            writer.WriteString("type", evidence.Type);
            writer.WriteNumber("format_version", EvidenceDocument.FormatVersion);
            writer.WriteStartObject("parts");
            WriteParts(writer, evidence);
            writer.WriteEndObject();
            writer.WriteEndObject();
        }

        return stream.ToArray();
    }

    /// <returns>True with the Evidence, or false with the reason code and a sentence.</returns>
    public static bool TryRead(ReadOnlyMemory<byte> utf8, out EvidenceDocument? evidence, out string code, out string detail)
    {
        try
        {
            (evidence, code, detail) = (Read(utf8), string.Empty, string.Empty);
            return true;
        }
        catch (AppraisalException exception)
        {
            (evidence, code, detail) = (null, exception.Code, exception.Message);
            return false;
        }
    }

    /// <exception cref="AppraisalException">Codes <see cref="Codes.TooLarge"/>, <see cref="Codes.Malformed"/>, <see cref="Codes.EvidenceType"/>.</exception>
    internal static EvidenceDocument Read(ReadOnlyMemory<byte> utf8)
    {
        AppraisalException.ThrowUnless(utf8.Length <= EvidenceDocument.MaxBytes, Codes.TooLarge, "The evidence is larger than 256 KiB.");
        using var document = Json.Parse(utf8, Codes.Malformed);
        var root = document.RootElement;
        RejectUnknownMembers(root, "type", "format_version", "parts");
        AppraisalException.ThrowUnless(root.Number("format_version", Codes.Malformed) == EvidenceDocument.FormatVersion, Codes.Malformed, "The evidence has an unknown format version.");
        var parts = root.Member("parts", Codes.Malformed);
        RejectUnknownMembers(parts, "report", "certificates", "certificate_table", "crl", "uvm_endorsement", "security_policy", "quote", "collateral", "cc_event_log",
            "hcl_report", "tpm_quotes", "pcrs", "event_log", "ak_public", "ak_certificates", "launch_endorsement", "token", "simulated");
        return new EvidenceDocument
        {
            Type = root.Text("type", Codes.EvidenceType),
            Report = Bytes(parts, "report"),
            Certificates = List(parts, "certificates", 5, Bytes),
            CertificateTable = Bytes(parts, "certificate_table"),
            Crl = Bytes(parts, "crl"),
            UvmEndorsement = Bytes(parts, "uvm_endorsement"),
            SecurityPolicy = Bytes(parts, "security_policy"),
            Quote = Bytes(parts, "quote"),
            Collateral = parts.Optional("collateral") is { } collateral ? TdxCollateral.Parse(collateral) : null,
            CcEventLog = Bytes(parts, "cc_event_log"),
            HclReport = Bytes(parts, "hcl_report"),
            TpmQuotes = List(parts, "tpm_quotes", 4, static quote => new TpmQuoteParts(Required(quote, "message"), Required(quote, "signature"))),
            Pcrs = parts.Optional("pcrs") is { } pcrs ? Encoding.UTF8.GetBytes(pcrs.GetRawText()) : null,
            EventLog = Bytes(parts, "event_log"),
            AkPublic = Bytes(parts, "ak_public"),
            AkCertificates = List(parts, "ak_certificates", 5, Bytes),
            LaunchEndorsement = Bytes(parts, "launch_endorsement"),
            Token = parts.Optional("token") is null ? null : parts.Text("token", Codes.Malformed),
            Simulated = parts.Optional("simulated") is { } simulated
                ? new SimulatedStatement(simulated.Text("statement", Codes.Malformed), Required(simulated, "signature"), Required(simulated, "public_key"))
                : null,
        };
    }

    private static void WriteParts(Utf8JsonWriter writer, EvidenceDocument evidence)
    {
        Write("report", evidence.Report);
        WriteAll("certificates", evidence.Certificates);
        Write("certificate_table", evidence.CertificateTable);
        Write("crl", evidence.Crl);
        Write("uvm_endorsement", evidence.UvmEndorsement);
        Write("security_policy", evidence.SecurityPolicy);
        Write("quote", evidence.Quote);
        if (evidence.Collateral is { } collateral)
        {
            writer.WritePropertyName("collateral");
            writer.WriteRawValue(collateral.ToJson());
        }

        Write("cc_event_log", evidence.CcEventLog);
        Write("hcl_report", evidence.HclReport);
        if (evidence.TpmQuotes.Count > 0)
        {
            writer.WriteStartArray("tpm_quotes");
            foreach (var quote in evidence.TpmQuotes)
            {
                writer.WriteStartObject();
                writer.WriteBase64String("message", quote.Message);
                writer.WriteBase64String("signature", quote.Signature);
                writer.WriteEndObject();
            }

            writer.WriteEndArray();
        }

        if (evidence.Pcrs is { } pcrs)
        {
            writer.WritePropertyName("pcrs");
            writer.WriteRawValue(pcrs);
        }

        Write("event_log", evidence.EventLog);
        Write("ak_public", evidence.AkPublic);
        WriteAll("ak_certificates", evidence.AkCertificates);
        Write("launch_endorsement", evidence.LaunchEndorsement);
        if (evidence.Token is { } token)
        {
            writer.WriteString("token", token);
        }

        if (evidence.Simulated is { } simulated)
        {
            writer.WriteStartObject("simulated");
            writer.WriteString("statement", simulated.Statement);
            writer.WriteBase64String("signature", simulated.Signature);
            writer.WriteBase64String("public_key", simulated.PublicKey);
            writer.WriteEndObject();
        }

        void Write(string name, byte[]? bytes)
        {
            if (bytes is { } value)
            {
                writer.WriteBase64String(name, value);
            }
        }

        void WriteAll(string name, IReadOnlyList<byte[]> all)
        {
            if (all.Count > 0)
            {
                writer.WriteStartArray(name);
                foreach (var bytes in all)
                {
                    writer.WriteBase64StringValue(bytes);
                }

                writer.WriteEndArray();
            }
        }
    }

    private static void RejectUnknownMembers(JsonElement json, params string[] names)
    {
        AppraisalException.ThrowUnless(json.ValueKind == JsonValueKind.Object, Codes.Malformed, "The evidence is not an object.");
        foreach (var member in json.EnumerateObject())
        {
            AppraisalException.ThrowUnless(names.Contains(member.Name), Codes.Malformed, "The evidence has an unknown member.");
        }
    }

    private static byte[]? Bytes(JsonElement json, string name) => json.Optional(name) is { } value ? Bytes(value) : null;

    private static byte[] Required(JsonElement json, string name) => Bytes(json.Member(name, Codes.Malformed));

    private static byte[] Bytes(JsonElement value) =>
        value.ValueKind == JsonValueKind.String && value.TryGetBytesFromBase64(out var bytes)
            ? bytes
            : throw new AppraisalException(Codes.Malformed, "A part of the evidence is not base64.");

    private static List<T> List<T>(JsonElement json, string name, int maxCount, Func<JsonElement, T> read)
    {
        if (json.Optional(name) is not { } list)
        {
            return [];
        }

        AppraisalException.ThrowUnless(list.ValueKind == JsonValueKind.Array && list.GetArrayLength() <= maxCount, Codes.Malformed, "A part of the evidence is not an array, or too long.");
        return [.. list.EnumerateArray().Select(read)];
    }
}
