using Cube.Attestation.Parsing;

namespace Cube.Attestation.Tdx;

/// <summary>
/// A TDX quote (Intel TDX DCAP quoting library API, appendix A), versions 4 and 5, little-endian.
/// <code>
/// header 48: version u16, key type u16 (2 = ECDSA P-256), TEE u32 (0x81), 4 reserved, QE vendor 16, user data 20
/// body:      v4: TD report 584      v5: type u16 (2 = 584 bytes, 3 = 648), size u32, TD report
/// size u32:  signature 64, key 64, type u16 (6), size u32:
///                QE report 384, QE signature 64, size u16: authentication data, type u16 (5), size u32: PEM chain (may end in NUL)
/// </code>
/// The nested sizes must match exactly. Bytes after the declared signature data are transport padding and are ignored.
/// </summary>
internal sealed class TdxQuote
{
    private static readonly byte[] _intelQe = Convert.FromHexString("939a7233f79c4ca9940a0db3957f0607");

    private TdxQuote(ReadOnlyMemory<byte> bytes)
    {
        var reader = new ByteReader(bytes.Span, Codes.QuoteSize);
        Version = reader.U16();
        AppraisalException.ThrowUnless(Version is 4 or 5, Codes.QuoteVersion, $"Quotes of version {Version} are not supported.");
        AppraisalException.ThrowUnless(reader.U16() == 2, Codes.AkType, "The attestation key is not an ECDSA P-256 key.");
        AppraisalException.ThrowUnless(reader.U32() == 0x81, Codes.TeeType, "The quote is not a TDX quote.");
        reader.Take(4);
        AppraisalException.ThrowUnless(reader.Take(16).SequenceEqual(_intelQe), Codes.QeVendor, "The QE vendor of the quote is not Intel.");
        reader.Take(20);

        var bodySize = TdQuoteBody.Size10;
        if (Version == 5)
        {
            var type = reader.U16();
            bodySize = type switch
            {
                2 => TdQuoteBody.Size10,
                3 => TdQuoteBody.Size15,
                _ => throw new AppraisalException(Codes.BodyType, $"Quote bodies of type {type} are not supported."),
            };
            AppraisalException.ThrowUnless(reader.U32() == (uint)bodySize, Codes.BodyType, "The size of the quote body does not match its type.");
        }

        var body = reader.Position;
        reader.Take(bodySize);
        Body = new TdQuoteBody(bytes.Slice(body, bodySize));
        Signed = bytes[..reader.Position];

        var announced = reader.U32();
        AppraisalException.ThrowUnless(announced <= (uint)reader.Left, Codes.SigDataSize, "The signature data of the quote are truncated.");
        var outer = new ByteReader(reader.Take((int)announced), Codes.SigDataSize);
        Signature = outer.Take(64).ToArray();
        AttestationKey = outer.Take(64).ToArray();
        AppraisalException.ThrowUnless(outer.U16() == 6, Codes.CertType, "The certification data of the quote are not a QE report.");
        var inner = new ByteReader(outer.Sized(), Codes.SigDataSize);
        outer.End();
        QeReport = new QeReport(inner.Take(QeReport.Size).ToArray());
        QeSignature = inner.Take(64).ToArray();
        QeAuthData = inner.Take(inner.U16()).ToArray();
        AppraisalException.ThrowUnless(inner.U16() == 5, Codes.CertType, "The certification data of the QE report are not a PCK certificate chain.");
        PckChain = inner.Sized().ToArray();
        inner.End();
    }

    public int Version { get; }

    public TdQuoteBody Body { get; }

    public ReadOnlyMemory<byte> Signed { get; }

    public byte[] Signature { get; }

    public byte[] AttestationKey { get; }

    public QeReport QeReport { get; }

    public byte[] QeSignature { get; }

    public byte[] QeAuthData { get; }

    public byte[] PckChain { get; }

    /// <exception cref="AppraisalException">One of the codes of Intel TDX.</exception>
    public static TdxQuote Parse(ReadOnlyMemory<byte> bytes)
    {
        AppraisalException.ThrowUnless(bytes.Length != TdReport.Size, Codes.NotAQuote, "The evidence is a TDREPORT, which only the same processor can verify, not a quote.");
        return new TdxQuote(bytes);
    }
}

/// <summary>
/// The quoting enclave's report (Intel SGX, REPORT body): 384 bytes.
/// <code>0 16 CPUSVN, 16 4 MISCSELECT, 48 16 ATTRIBUTES, 64 32 MRENCLAVE, 128 32 MRSIGNER, 256 2 ISVPRODID, 258 2 ISVSVN, 320 64 REPORTDATA</code>
/// </summary>
internal sealed class QeReport(byte[] bytes)
{
    public const int Size = 384;

    public ReadOnlySpan<byte> Bytes => bytes;

    public ReadOnlySpan<byte> MiscSelect => bytes.AsSpan(16, 4);

    public ReadOnlySpan<byte> Attributes => bytes.AsSpan(48, 16);

    public ReadOnlySpan<byte> MrSigner => bytes.AsSpan(128, 32);

    public int IsvProdId => BitConverter.ToUInt16(bytes, 256);

    public int IsvSvn => BitConverter.ToUInt16(bytes, 258);

    public ReadOnlySpan<byte> ReportData => bytes.AsSpan(320, 64);
}
