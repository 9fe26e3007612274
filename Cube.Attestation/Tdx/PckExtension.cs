using System.Formats.Asn1;
using Cube.Attestation.Certificates;
using Cube.Attestation.Parsing;

namespace Cube.Attestation.Tdx;

/// <summary>
/// The SGX extension of a PCK certificate, 1.2.840.113741.1.13.1 (Intel SGX PCK certificate and CRL profile, section 1.3.5):
/// a sequence of pairs of OID and value.
/// <code>
/// .2 TCB: .1–.16 component SVNs INTEGER, .17 PCESVN INTEGER, .18 CPUSVN OCTET STRING    .3 PCEID 2 bytes    .4 FMSPC 6 bytes
/// </code>
/// </summary>
internal sealed class PckExtension
{
    private const string Arc = "1.2.840.113741.1.13.1";

    private PckExtension(ReadOnlyMemory<byte> der)
    {
        var values = ReadPairs(der);
        PceId = Bytes(values[Arc + ".3"], 2);
        Fmspc = Bytes(values[Arc + ".4"], 6);
        var tcb = ReadPairs(values[Arc + ".2"]);
        Components = new byte[16];
        for (var i = 0; i < 16; i++)
        {
            Components[i] = checked((byte)Integer(tcb[$"{Arc}.2.{i + 1}"]));
        }

        PceSvn = Integer(tcb[Arc + ".2.17"]);
    }

    public byte[] PceId { get; }

    /// <summary>Family, model, platform and custom SKU that Intel publishes collateral for.</summary>
    public byte[] Fmspc { get; }

    public byte[] Components { get; }

    public int PceSvn { get; }

    /// <exception cref="AppraisalException">Code <see cref="Codes.PckExtension"/>.</exception>
    public static PckExtension Of(Certificate pck)
    {
        try
        {
            return new PckExtension(pck.Extension(Arc) ?? throw new AsnContentException());
        }
        catch (Exception exception) when (exception is AsnContentException or KeyNotFoundException or OverflowException or ArgumentException)
        {
            throw new AppraisalException(Codes.PckExtension, "The SGX extension of the PCK certificate is missing or malformed.");
        }
    }

    private static Dictionary<string, ReadOnlyMemory<byte>> ReadPairs(ReadOnlyMemory<byte> der)
    {
        var outer = new AsnReader(der, AsnEncodingRules.DER);
        var list = outer.ReadSequence();
        outer.ThrowIfNotEmpty();
        var pairs = new Dictionary<string, ReadOnlyMemory<byte>>();
        while (list.HasData)
        {
            var pair = list.ReadSequence();
            pairs.Add(pair.ReadObjectIdentifier(), pair.ReadEncodedValue());
            pair.ThrowIfNotEmpty();
        }

        return pairs;
    }

    private static int Integer(ReadOnlyMemory<byte> der) =>
        new AsnReader(der, AsnEncodingRules.DER).TryReadInt32(out var value) && value is >= 0 and <= 0xFFFF ? value : throw new AsnContentException();

    private static byte[] Bytes(ReadOnlyMemory<byte> der, int length)
    {
        var bytes = new AsnReader(der, AsnEncodingRules.DER).ReadOctetString();
        return bytes.Length == length ? bytes : throw new AsnContentException();
    }
}
