using System.Security.Cryptography;
using Cube.Attestation.Certificates;
using Cube.Attestation.Parsing;

namespace Cube.Attestation.Google;

/// <summary>
/// Google's Endorsement of its virtual firmware (gce-tcb-verifier, proto/endorsement.proto).
/// <code>
/// VMLaunchEndorsement { 1 golden bytes, 2 signature: RSASSA-PSS SHA-256 over field 1 }
/// golden: { 4 certificate DER, 5 SHA-384 of the firmware, 7 SevSnp { 1 svn, 2 map vCPUs → measurement 48, 5 policy },
///           8 Tdx { 2 repeated { 1 ram_gib, 2 early_accept, 3 mrtd 48 } } }
/// </code>
/// </summary>
internal sealed class LaunchEndorsement
{
    private const string Code = Codes.GceEndorsement;
    private readonly Dictionary<uint, byte[]> _measurements = [];
    private readonly List<byte[]> _mrTds = [];

    private LaunchEndorsement()
    {
    }

    public uint SnpSvn { get; private set; }

    public required DateTimeOffset ExpiresAt { get; init; }

    /// <param name="root">The root certificate that the operator configured.</param>
    /// <exception cref="AppraisalException">One of the codes of Google.</exception>
    public static LaunchEndorsement Verify(ReadOnlyMemory<byte> bytes, Certificate? root, DateTimeOffset now)
    {
        if (root is null)
        {
            throw new AppraisalException(Codes.GceRootMissing, "No root certificate is configured for Google's launch endorsements.");
        }

        var outer = Protobuf.Read(bytes, Code);
        var golden = Only(outer, 1);
        var signature = Only(outer, 2);
        AppraisalException.ThrowUnless(outer.Count == 2, Code, "The endorsement has unknown fields.");
        var fields = Protobuf.Read(golden, Code);
        var signer = Certificate.Parse(Only(fields, 4));
        DateTimeOffset expires;
        try
        {
            expires = CertificateChain.Verify([signer, root], [root], now);
        }
        catch (AppraisalException exception)
        {
            throw new AppraisalException(Codes.GceCertificate, exception.Message);
        }

        AppraisalException.ThrowUnless(signer.Key is RsaKey key && key.Verify(golden.Span, signature.Span, HashAlgorithmName.SHA256, RSASignaturePadding.Pss),
            Codes.GceSignature, "The endorsement is not signed by its certificate.");
        var endorsement = new LaunchEndorsement { ExpiresAt = expires };
        endorsement.ReadGolden(fields);
        return endorsement;
    }

    /// <param name="vcpus">Null accepts the measurements for any number of vCPUs.</param>
    public bool Endorses(ReadOnlySpan<byte> measurement, uint? vcpus)
    {
        foreach (var (count, endorsed) in _measurements)
        {
            if ((vcpus is null || vcpus == count) && measurement.SequenceEqual(endorsed))
            {
                return true;
            }
        }

        return false;
    }

    public bool EndorsesTd(ReadOnlyMemory<byte> mrTd) => _mrTds.Exists(endorsed => mrTd.Span.SequenceEqual(endorsed));

    private void ReadGolden(List<Protobuf.Field> golden)
    {
        foreach (var field in golden)
        {
            if (field.Number == 7)
            {
                ReadSnp(Protobuf.Read(field.Bytes, Code));
            }
            else if (field.Number == 8)
            {
                _mrTds.AddRange(Protobuf.Read(field.Bytes, Code).Where(static tdx => tdx.Number == 2).Select(static tdx => Sized(Only(Protobuf.Read(tdx.Bytes, Code), 3))));
            }
        }
    }

    private void ReadSnp(List<Protobuf.Field> snp)
    {
        foreach (var field in snp)
        {
            if (field.Number == 1)
            {
                SnpSvn = checked((uint)Math.Min(field.Value, uint.MaxValue));
            }
            else if (field.Number == 2)
            {
                var entry = Protobuf.Read(field.Bytes, Code);
                var vcpus = entry.LastOrDefault(static part => part.Number == 1).Value;
                AppraisalException.ThrowUnless(vcpus <= uint.MaxValue && _measurements.TryAdd((uint)vcpus, Sized(Only(entry, 2))), Code, "The endorsement contains a number of vCPUs twice.");
            }
        }
    }

    private static ReadOnlyMemory<byte> Only(List<Protobuf.Field> fields, int number)
    {
        var found = fields.FindAll(field => field.Number == number);
        return found.Count == 1 && !found[0].Bytes.IsEmpty ? found[0].Bytes : throw new AppraisalException(Code, $"Field {number} of the endorsement is missing or occurs twice.");
    }

    private static byte[] Sized(ReadOnlyMemory<byte> measurement) =>
        measurement.Length == 48 ? measurement.ToArray() : throw new AppraisalException(Code, "A measurement must have 48 bytes.");
}
