using System.Formats.Asn1;
using Cube.Attestation.Certificates;
using Cube.Attestation.Parsing;

namespace Cube.Attestation.Snp;

/// <summary>
/// The extensions of a VCEK or VLEK certificate, below 1.3.6.1.4.1.3704.1 (VCEK certificate and KDS interface specification).
/// <code>
/// 2 productName IA5String    3.1 bl, 3.2 tee, 3.3 snp, 3.8 ucode, 3.9 fmc (Turin on) INTEGER
/// 4 HWID, raw bytes or OCTET STRING (VCEK)    5 CSP_ID IA5String (VLEK)
/// </code>
/// </summary>
internal sealed class VekExtensions
{
    private const string Arc = "1.3.6.1.4.1.3704.1.";
    private readonly Certificate _certificate;

    private VekExtensions(Certificate certificate)
    {
        _certificate = certificate;
        ProductName = Text("2") ?? throw new AsnContentException();
        HasFmc = certificate.Extension(Arc + "3.9") is not null;
        Tcb = new SnpTcb(HasFmc ? Svn("3.9") : (byte)0, Svn("3.1"), Svn("3.2"), Svn("3.3"), Svn("3.8"));
        CspId = Text("5");
        HardwareId = ReadHardwareId();
    }

    /// <summary>"Milan-B0", but "Genoa" and "Turin" without a stepping.</summary>
    public string ProductName { get; }

    public bool HasFmc { get; }

    public SnpTcb Tcb { get; }

    public byte[]? HardwareId { get; }

    /// <summary>The cloud provider of a VLEK.</summary>
    public string? CspId { get; }

    /// <exception cref="AppraisalException">Code <see cref="Codes.Certificate"/>.</exception>
    public static VekExtensions Of(Certificate certificate)
    {
        try
        {
            return new VekExtensions(certificate);
        }
        catch (Exception exception) when (exception is AsnContentException or OverflowException)
        {
            throw new AppraisalException(Codes.Certificate, "An extension of the VCEK or VLEK certificate is missing or malformed.");
        }
    }

    private byte Svn(string oid) =>
        (byte)Reader(oid, static reader => checked((byte)(uint)reader.ReadInteger()));

    private string? Text(string oid) =>
        _certificate.Extension(Arc + oid) is null ? null : Reader(oid, static reader => reader.ReadCharacterString(UniversalTagNumber.IA5String));

    private T Reader<T>(string oid, Func<AsnReader, T> read)
    {
        var reader = new AsnReader(_certificate.Extension(Arc + oid) ?? throw new AsnContentException(), AsnEncodingRules.DER);
        var value = read(reader);
        reader.ThrowIfNotEmpty();
        return value;
    }

    private byte[]? ReadHardwareId()
    {
        if (_certificate.Extension(Arc + "4") is not { } raw)
        {
            return null;
        }

        return raw.Length is 8 or 64 ? raw : Reader("4", static reader => reader.ReadOctetString());
    }
}
