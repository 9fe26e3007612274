using System.Text.Json;
using Cube.Attestation.Evidence;
using Cube.Attestation.Parsing;

namespace Cube.Attestation.Atls;

/// <summary>
/// The exchange of attested TLS before the first byte of HTTP. Frames: type u8, length u32 big-endian, JSON.
/// <code>
/// 1 request  { "v": 1, "role": "server", "nonce": base64 of 32 bytes, "cb_types": [text], "policy_id": text }
/// 2 evidence { "v": 1, "cb_type": text, "evidence": {…} }
/// 3 error    { "v": 1, "code": text }
/// </code>
/// No HTTP request begins with these bytes, so that the server can distinguish a request for Evidence from HTTP.
/// </summary>
internal static class AtlsFrame
{
    public const byte Request = 1;
    public const byte Evidence = 2;
    public const byte Error = 3;
    public const int HeaderSize = 5;
    public const int MaxRequest = 4096;

    /// <summary>The largest Evidence document and the members around it.</summary>
    public const int MaxEvidence = EvidenceDocument.MaxBytes + 1024;

    public static byte[] Make(byte type, ReadOnlySpan<byte> json)
    {
        var frame = new byte[HeaderSize + json.Length];
        frame[0] = type;
        System.Buffers.Binary.BinaryPrimitives.WriteInt32BigEndian(frame.AsSpan(1), json.Length);
        json.CopyTo(frame.AsSpan(HeaderSize));
        return frame;
    }
}

internal sealed record AtlsRequest(byte[] Nonce, IReadOnlyList<string> ChannelBindings, string PolicyId)
{
    public const int NonceSize = 32;

    public byte[] ToFrame() => AtlsFrame.Make(AtlsFrame.Request, JsonSerializer.SerializeToUtf8Bytes(new
    {
        v = 1,
        role = "server",
        nonce = Convert.ToBase64String(Nonce),
        cb_types = ChannelBindings,
        policy_id = PolicyId,
    }));

    /// <exception cref="AppraisalException">Codes <see cref="Codes.AtlsVersion"/> and <see cref="Codes.AtlsFrame"/>.</exception>
    public static AtlsRequest Parse(ReadOnlyMemory<byte> json)
    {
        using var document = Json.Parse(json, Codes.AtlsFrame);
        var root = document.RootElement;
        AppraisalException.ThrowUnless(root.Number("v", Codes.AtlsVersion) == 1, Codes.AtlsVersion, "The requested version of attested TLS is not supported.");
        AppraisalException.ThrowUnless(root.Text("role", Codes.AtlsFrame) == "server", Codes.AtlsFrame, "The role must be 'server'.");
        var types = root.Items("cb_types", Codes.AtlsFrame).Select(static type => type.ToString()).ToList();
        AppraisalException.ThrowUnless(types.Count is >= 1 and <= 8, Codes.AtlsFrame, "The request must offer 1 to 8 channel bindings.");
        AppraisalException.ThrowUnless(root.Member("nonce", Codes.AtlsFrame) is { ValueKind: JsonValueKind.String } text && text.TryGetBytesFromBase64(out var nonce) && nonce.Length == NonceSize,
            Codes.AtlsFrame, "The nonce must have 32 bytes.");
        return new AtlsRequest(root.Member("nonce", Codes.AtlsFrame).GetBytesFromBase64(), types, root.Text("policy_id", Codes.AtlsFrame));
    }
}

internal sealed record AtlsResponse(string ChannelBinding, EvidenceDocument Evidence)
{
    public byte[] ToFrame()
    {
        using var stream = new MemoryStream();
        using (var writer = new Utf8JsonWriter(stream))
        {
            writer.WriteStartObject();
            writer.WriteNumber("v", 1);
            writer.WriteString("cb_type", ChannelBinding);
            writer.WritePropertyName("evidence");
            writer.WriteRawValue(EvidenceJson.Write(Evidence));
            writer.WriteEndObject();
        }

        return AtlsFrame.Make(AtlsFrame.Evidence, stream.ToArray());
    }

    /// <exception cref="AppraisalException">Code <see cref="Codes.AtlsFrame"/>, or one of the evidence's.</exception>
    public static AtlsResponse Parse(ReadOnlyMemory<byte> json)
    {
        using var document = Json.Parse(json, Codes.AtlsFrame);
        var root = document.RootElement;
        AppraisalException.ThrowUnless(root.Number("v", Codes.AtlsVersion) == 1, Codes.AtlsVersion, "The response has another version of attested TLS.");
        var evidence = System.Text.Encoding.UTF8.GetBytes(root.Member("evidence", Codes.AtlsFrame).GetRawText());
        return new AtlsResponse(root.Text("cb_type", Codes.AtlsFrame), EvidenceJson.Read(evidence));
    }

    public static string ErrorCode(ReadOnlyMemory<byte> json)
    {
        using var document = Json.Parse(json, Codes.AtlsFrame);
        var code = document.RootElement.Text("code", Codes.AtlsFrame);
        // The code of the peer may appear in logs. Only this character set is accepted.
        return code.Length <= 64 && code.All(static c => char.IsAsciiLetterLower(c) || char.IsAsciiDigit(c) || c == '-') ? code : Codes.AtlsFrame;
    }
}
