using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Cube.Attestation.Evidence;
using Cube.Attestation.Parsing;

namespace Cube.Attestation.Simulated;

/// <param name="IssuedAt">Claimed by the issuer.</param>
public sealed record SimulatedClaims(ReadOnlyMemory<byte> ReportData, ReadOnlyMemory<byte> Measurement, DateTimeOffset IssuedAt);

/// <summary>
/// Evidence for development without TEE hardware. It proves nothing, and its verdict is never <see cref="Verdicts.Outcome.Valid"/>.
/// <code>{"type":"simulated","version":1,"warning":"NOT HARDWARE ATTESTED","report_data":hex 64,"measurement":hex 48,"issued_at":date}</code>
/// </summary>
public static class SimulatedEvidence
{
    private const string Warning = "NOT HARDWARE ATTESTED";

    /// <summary>Creates simulated Evidence with a key that exists for this call only.</summary>
    /// <param name="reportData">64 bytes.</param>
    public static EvidenceDocument Make(ReadOnlySpan<byte> reportData, DateTimeOffset now)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var statement = $$"""{"type":"simulated","version":1,"warning":"{{Warning}}","report_data":"{{Convert.ToHexStringLower(reportData)}}","measurement":"{{new string('0', 96)}}","issued_at":"{{now.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture)}}"}""";
        return new EvidenceDocument
        {
            Type = EvidenceType.Simulated,
            Simulated = new SimulatedStatement(
                statement,
                key.SignData(Encoding.UTF8.GetBytes(statement), HashAlgorithmName.SHA256, DSASignatureFormat.Rfc3279DerSequence),
                key.ExportSubjectPublicKeyInfo()),
        };
    }

    /// <exception cref="AppraisalException">Codes <see cref="Codes.Malformed"/> and <see cref="Codes.ReportSignature"/>.</exception>
    internal static SimulatedClaims Verify(SimulatedStatement statement)
    {
        var bytes = Encoding.UTF8.GetBytes(statement.Statement);
        AppraisalException.ThrowUnless(Certificates.PublicKey.FromSpki(statement.PublicKey) is Certificates.EcKey key && key.VerifyDer(bytes, statement.Signature, HashAlgorithmName.SHA256),
            Codes.ReportSignature, "The simulated evidence is not signed by its key.");
        using var document = Json.Parse(bytes, Codes.Malformed);
        var json = document.RootElement;
        AppraisalException.ThrowUnless(json.Text("type", Codes.Malformed) == EvidenceType.Simulated && json.Number("version", Codes.Malformed) == 1
            && json.Text("warning", Codes.Malformed) == Warning, Codes.Malformed, "The simulated evidence lacks its type, version or warning.");
        AppraisalException.ThrowUnless(json.Member("issued_at", Codes.Malformed).TryGetDateTimeOffset(out var issued), Codes.Malformed, "The simulated evidence has no date.");
        return new SimulatedClaims(json.Hex("report_data", Codes.Malformed, 64), json.Hex("measurement", Codes.Malformed, 48), issued);
    }
}
