using System.Text;
using System.Text.Json;
using Cube.Attestation.Parsing;

namespace Cube.Attestation.Tdx;

/// <summary>
/// The collateral that Intel's provisioning certification service publishes for a platform, as one JSON object.
/// Intel signs every part, so that it may come from any source.
/// <code>
/// pck_crl_issuer_chain, tcb_info_issuer_chain, qe_identity_issuer_chain: PEM     root_ca_crl, pck_crl: DER as hex
/// tcb_info, qe_identity: the exact text that was signed                          tcb_info_signature, qe_identity_signature: hex
/// </code>
/// </summary>
public sealed record TdxCollateral
{
    public required string PckCrlIssuerChain { get; init; }

    public required ReadOnlyMemory<byte> RootCaCrl { get; init; }

    public required ReadOnlyMemory<byte> PckCrl { get; init; }

    public required string TcbInfoIssuerChain { get; init; }

    public required string TcbInfo { get; init; }

    public required ReadOnlyMemory<byte> TcbInfoSignature { get; init; }

    public required string QeIdentityIssuerChain { get; init; }

    public required string QeIdentity { get; init; }

    public required ReadOnlyMemory<byte> QeIdentitySignature { get; init; }

    /// <exception cref="AppraisalException">Code <see cref="Codes.Collateral"/>.</exception>
    internal static TdxCollateral Parse(ReadOnlyMemory<byte> utf8)
    {
        using var document = Json.Parse(utf8, Codes.Collateral);
        return Parse(document.RootElement);
    }

    internal static TdxCollateral Parse(JsonElement json) => new()
    {
        PckCrlIssuerChain = json.Text("pck_crl_issuer_chain", Codes.Collateral),
        RootCaCrl = json.Hex("root_ca_crl", Codes.Collateral),
        PckCrl = json.Hex("pck_crl", Codes.Collateral),
        TcbInfoIssuerChain = json.Text("tcb_info_issuer_chain", Codes.Collateral),
        TcbInfo = json.Text("tcb_info", Codes.Collateral),
        TcbInfoSignature = json.Hex("tcb_info_signature", Codes.Collateral, 64),
        QeIdentityIssuerChain = json.Text("qe_identity_issuer_chain", Codes.Collateral),
        QeIdentity = json.Text("qe_identity", Codes.Collateral),
        QeIdentitySignature = json.Hex("qe_identity_signature", Codes.Collateral, 64),
    };

    internal byte[] ToJson()
    {
        using var stream = new MemoryStream();
        using (var writer = new Utf8JsonWriter(stream))
        {
            writer.WriteStartObject();
            writer.WriteString("pck_crl_issuer_chain", PckCrlIssuerChain);
            writer.WriteString("root_ca_crl", Convert.ToHexStringLower(RootCaCrl.Span));
            writer.WriteString("pck_crl", Convert.ToHexStringLower(PckCrl.Span));
            writer.WriteString("tcb_info_issuer_chain", TcbInfoIssuerChain);
            writer.WriteString("tcb_info", TcbInfo);
            writer.WriteString("tcb_info_signature", Convert.ToHexStringLower(TcbInfoSignature.Span));
            writer.WriteString("qe_identity_issuer_chain", QeIdentityIssuerChain);
            writer.WriteString("qe_identity", QeIdentity);
            writer.WriteString("qe_identity_signature", Convert.ToHexStringLower(QeIdentitySignature.Span));
            writer.WriteEndObject();
        }

        return stream.ToArray();
    }

    internal static byte[] Signed(string text) => Encoding.UTF8.GetBytes(text);
}
