using System.Formats.Cbor;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Cube.Attestation.Certificates;
using Cube.Attestation.Parsing;

namespace Cube.Attestation.Snp;

/// <summary>
/// Microsoft's Endorsement of the utility VM (UVM) that runs confidential containers: COSE_Sign1 (RFC 9052 section 4.2, CBOR tag 18).
/// <code>
/// [ protected bstr { 1: -38 (PS384), 3: content type, 33: x5chain, "iss": did, "feed": text, "signingtime": tag 1 }, unprotected {…},
///   payload bstr, signature bstr ]
/// payload: JSON { "x-ms-sevsnpvm-launchmeasurement": hex, "x-ms-sevsnpvm-guestsvn": text }
/// </code>
/// </summary>
/// <param name="Svn">The SVN of the UVM; not GUEST_SVN of the report.</param>
/// <param name="SignedAt">Time of signing, claimed by the signer. The chain is verified at this time: the endorsement outlives its certificate, which is valid for one year. Policies retire endorsements by SVN.</param>
public sealed record UvmEndorsement(string Issuer, string Feed, int Svn, ReadOnlyMemory<byte> Measurement, DateTimeOffset SignedAt)
{
    /// <summary>SHA-256 of "Microsoft Supply Chain RSA Root CA 2022".</summary>
    private const string RootSha256 = "23ffe2b8bdb9a1711515d4cffda04bc7f793d513c76c243f1020507d8669b7db";
    private const string SigningPurpose = "1.3.6.1.4.1.311.76.59.1.2";

    /// <exception cref="AppraisalException">Code <see cref="Codes.UvmEndorsement"/>, or one of the certificates'.</exception>
    internal static UvmEndorsement Verify(ReadOnlyMemory<byte> cose)
    {
        try
        {
            return Read(cose);
        }
        catch (Exception exception) when (exception is CborContentException or InvalidOperationException or OverflowException or FormatException)
        {
            throw new AppraisalException(Codes.UvmEndorsement, "The endorsement cannot be parsed.");
        }
    }

    private static UvmEndorsement Read(ReadOnlyMemory<byte> cose)
    {
        var reader = new CborReader(cose, CborConformanceMode.Strict);
        AppraisalException.ThrowUnless((ulong)reader.ReadTag() == 18, Codes.UvmEndorsement, "The endorsement is not a COSE_Sign1 message.");
        AppraisalException.ThrowUnless(reader.ReadStartArray() == 4, Codes.UvmEndorsement, "The endorsement is not a COSE_Sign1 message.");
        var header = reader.ReadByteString();
        // The unprotected header is not signed and is ignored; Microsoft stores a time stamp there.
        reader.SkipValue();
        var payload = reader.ReadByteString();
        var signature = reader.ReadByteString();
        reader.ReadEndArray();
        AppraisalException.ThrowUnless(reader.BytesRemaining == 0, Codes.UvmEndorsement, "Bytes follow the endorsement.");

        var (chain, issuer, feed, signedAt) = ReadHeader(header);
        VerifyChain(chain, issuer, signedAt);
        AppraisalException.ThrowUnless(chain[0].Key is RsaKey key && key.Verify(ToBeSigned(header, payload), signature, HashAlgorithmName.SHA384, RSASignaturePadding.Pss),
            Codes.UvmEndorsement, "The endorsement is not signed by its certificate.");

        using var json = Json.Parse(payload, Codes.UvmEndorsement);
        var measurement = json.RootElement.Hex("x-ms-sevsnpvm-launchmeasurement", Codes.UvmEndorsement, 48);
        var svn = int.Parse(json.RootElement.Text("x-ms-sevsnpvm-guestsvn", Codes.UvmEndorsement), System.Globalization.NumberStyles.None, null);
        return new UvmEndorsement(issuer, feed, svn, measurement, signedAt);
    }

    private static (List<Certificate> Chain, string Issuer, string Feed, DateTimeOffset SignedAt) ReadHeader(byte[] header)
    {
        var reader = new CborReader(header, CborConformanceMode.Strict);
        var entries = reader.ReadStartMap();
        var (isPs384, chain, issuer, feed) = (false, new List<Certificate>(), string.Empty, string.Empty);
        var signedAt = DateTimeOffset.MinValue;
        for (var i = 0; i < entries; i++)
        {
            if (reader.PeekState() == CborReaderState.TextString)
            {
                switch (reader.ReadTextString())
                {
                    case "iss": issuer = reader.ReadTextString(); break;
                    case "feed": feed = reader.ReadTextString(); break;
                    case "signingtime": signedAt = reader.ReadUnixTimeSeconds(); break;
                    default: reader.SkipValue(); break;
                }
            }
            else
            {
                switch (reader.ReadInt64())
                {
                    case 1: isPs384 = reader.ReadInt64() == -38; break;
                    case 33: chain = ReadChain(reader); break;
                    default: reader.SkipValue(); break;
                }
            }
        }

        reader.ReadEndMap();
        AppraisalException.ThrowUnless(isPs384 && reader.BytesRemaining == 0, Codes.UvmEndorsement, "The endorsement is not signed with PS384.");
        return (chain, issuer, feed, signedAt);
    }

    private static List<Certificate> ReadChain(CborReader reader)
    {
        var chain = new List<Certificate>();
        var count = reader.ReadStartArray();
        AppraisalException.ThrowUnless(count is >= 2 and <= 5, Codes.ChainLength, "The endorsement has fewer than two or more than five certificates.");
        for (var i = 0; i < count; i++)
        {
            chain.Add(Certificate.Parse(reader.ReadByteString()));
        }

        reader.ReadEndArray();
        return chain;
    }

    /// <summary>The issuer is a did:x509 with the hash of the root and the extended key usage of the leaf. Both are verified in the certificates.</summary>
    private static void VerifyChain(List<Certificate> chain, string issuer, DateTimeOffset signedAt)
    {
        var root = Convert.FromHexString(RootSha256);
        AppraisalException.ThrowUnless(chain.Count > 0 && chain[^1].Sha256.AsSpan().SequenceEqual(root), Codes.UntrustedRoot, "The chain of the endorsement ends at a root that is not pinned.");
        CertificateChain.Verify(chain, [chain[^1]], signedAt);
        var did = $"did:x509:0:sha256:{System.Buffers.Text.Base64Url.EncodeToString(root)}::eku:{SigningPurpose}";
        AppraisalException.ThrowUnless(issuer == did && Purposes(chain[0]).Contains(SigningPurpose), Codes.UvmEndorsement, "The issuer of the endorsement is not Microsoft's issuer for the utility VM.");
    }

    private static List<string> Purposes(Certificate leaf)
    {
        if (leaf.Extension("2.5.29.37") is not { } extension)
        {
            return [];
        }

        var usage = new X509EnhancedKeyUsageExtension(new AsnEncodedData("2.5.29.37", extension), critical: false);
        return [.. usage.EnhancedKeyUsages.Cast<Oid>().Select(static oid => oid.Value!)];
    }

    /// <summary>Sig_structure of RFC 9052 section 4.4.</summary>
    private static byte[] ToBeSigned(byte[] header, byte[] payload)
    {
        var writer = new CborWriter();
        writer.WriteStartArray(4);
        writer.WriteTextString("Signature1");
        writer.WriteByteString(header);
        writer.WriteByteString([]);
        writer.WriteByteString(payload);
        writer.WriteEndArray();
        return writer.Encode();
    }
}
