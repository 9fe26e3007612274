using Cube.Attestation.Parsing;

namespace Cube.Attestation.Tdx;

/// <summary>Builds collateral from the responses of Intel's provisioning certification service. Signed text stays unchanged, byte for byte.</summary>
public static class TdxCollateralConverter
{
    /// <param name="tcbInfo">Body of <c>/tdx/certification/v4/tcb</c>: <c>{"tcbInfo": {…}, "signature": hex}</c>.</param>
    /// <param name="qeIdentity">Body of <c>/tdx/certification/v4/qe/identity</c>: <c>{"enclaveIdentity": {…}, "signature": hex}</c>.</param>
    /// <returns>Null if a response is malformed.</returns>
    public static TdxCollateral? Assemble(byte[] tcbInfo, string tcbIssuerChain, byte[] qeIdentity, string qeIssuerChain, byte[] pckCrl, string pckIssuerChain, byte[] rootCrl)
    {
        try
        {
            var (tcb, tcbSignature) = Signed(tcbInfo, "tcbInfo");
            var (qe, qeSignature) = Signed(qeIdentity, "enclaveIdentity");
            return new TdxCollateral
            {
                PckCrlIssuerChain = pckIssuerChain,
                RootCaCrl = rootCrl,
                PckCrl = pckCrl,
                TcbInfoIssuerChain = tcbIssuerChain,
                TcbInfo = tcb,
                TcbInfoSignature = tcbSignature,
                QeIdentityIssuerChain = qeIssuerChain,
                QeIdentity = qe,
                QeIdentitySignature = qeSignature,
            };
        }
        catch (AppraisalException)
        {
            return null;
        }
    }

    public static byte[] ToJson(TdxCollateral collateral) => collateral.ToJson();

    /// <returns>Null if the JSON is not a collateral object.</returns>
    public static TdxCollateral? FromJson(byte[] utf8)
    {
        try
        {
            return TdxCollateral.Parse(utf8);
        }
        catch (AppraisalException)
        {
            return null;
        }
    }

    private static (string Text, byte[] Signature) Signed(byte[] answer, string name)
    {
        using var document = Json.Parse(answer, Codes.Collateral);
        return (document.RootElement.Member(name, Codes.Collateral).GetRawText(), document.RootElement.Hex("signature", Codes.Collateral, 64));
    }
}
