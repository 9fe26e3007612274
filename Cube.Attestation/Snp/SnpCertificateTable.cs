using Cube.Attestation.Parsing;

namespace Cube.Attestation.Snp;

/// <summary>
/// The certificate table that a host provides to its guest (GHCB specification, extended guest request; configfs-tsm: auxblob).
/// <code>
/// { guid 16 (RFC 4122 byte order), offset u32, length u32 } …, a zero guid ends the list; the data follow
/// </code>
/// </summary>
internal static class SnpCertificateTable
{
    private const int MaxEntries = 16;
    private static readonly Guid _vcek = new("63da758d-e664-4564-adc5-f4b93be8accd");
    private static readonly Guid _vlek = new("a8074bc2-a25a-483e-aae6-39c045a0b8a1");
    private static readonly Guid _ask = new("4ab7b379-bbac-4fe4-a02f-05aef327c782");
    private static readonly Guid _ark = new("c0b406a4-a803-4952-9743-3fb6014cd0ae");

    /// <param name="wantsVlek">Whether to return the VLEK rather than the VCEK; a table may contain both.</param>
    /// <returns>Leaf, intermediate and root, as far as the table contains them.</returns>
    /// <exception cref="AppraisalException">Code <see cref="Codes.CertificateTable"/>.</exception>
    public static List<byte[]> Certificates(ReadOnlySpan<byte> table, bool wantsVlek)
    {
        var found = new Dictionary<Guid, byte[]>();
        var reader = new ByteReader(table, Codes.CertificateTable);
        for (var entry = 0; reader.Left > 0; entry++)
        {
            var guid = new Guid(reader.Take(16), bigEndian: true);
            var (offset, length) = (reader.U32(), reader.U32());
            if (guid == Guid.Empty)
            {
                break;
            }

            AppraisalException.ThrowUnless(entry < MaxEntries && offset <= (uint)table.Length && length <= (uint)table.Length - offset,
                Codes.CertificateTable, "An entry of the certificate table is out of range, or the table has too many entries.");
            AppraisalException.ThrowUnless(found.TryAdd(guid, table.Slice((int)offset, (int)length).ToArray()), Codes.CertificateTable, "The certificate table contains an entry twice.");
        }

        return [.. new[] { wantsVlek ? _vlek : _vcek, _ask, _ark }.Where(found.ContainsKey).Select(guid => found[guid])];
    }
}
