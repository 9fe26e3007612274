using Cube.Attestation.Parsing;

namespace Cube.Attestation.Tpm;

/// <summary>
/// A crypto-agile event log (TCG PC Client Platform Firmware Profile, section 10), little-endian; of a vTPM, or of a TD (CCEL, UEFI
/// confidential computing protocol), which differ in what the indices mean.
/// <code>
/// header:  index u32, type u32 (3), 20 zeros, size u32, "Spec ID Event03\0", class u32, 3 bytes version, uintn u8,
///          count u32 { algorithm u16, digest size u16 }, vendor size u8, vendor data
/// events:  index u32, type u32, count u32 { algorithm u16, digest }, size u32, data
/// </code>
/// The log is the machine's own account of itself. It counts for as much as the registers that its replay gives.
/// </summary>
internal sealed class EventLog
{
    private const int Registers = 24;
    private const int LastOfFirmware = 7;

    public const int MaxBytes = 1024 * 1024;
    private const int MaxEvents = 20_000;
    private const uint NoAction = 3;

    private readonly Dictionary<(string Bank, uint Index), byte[]> _registers = [];
    private readonly Dictionary<ushort, int> _digestSizes = [];
    private byte _locality;

    private EventLog(ReadOnlySpan<byte> log)
    {
        var reader = new ByteReader(log, Codes.EventLog);
        ReadHeader(ref reader);
        for (var count = 0; reader.Left > 0; count++)
        {
            AppraisalException.ThrowUnless(count < MaxEvents, Codes.EventLog, "The event log has too many events.");
            var index = reader.U32();
            if (index == uint.MaxValue)
            {
                // The table that holds a CCEL is longer than its log, and filled up with ones.
                AppraisalException.ThrowUnless(!reader.Take(reader.Left).ContainsAnyExcept((byte)0xFF), Codes.EventLog, "Something else than padding follows the event log.");
                break;
            }

            ReadEvent(ref reader, index);
        }
    }

    /// <exception cref="AppraisalException">Code <see cref="Codes.EventLog"/>.</exception>
    public static EventLog Replay(ReadOnlySpan<byte> log)
    {
        AppraisalException.ThrowUnless(log.Length <= MaxBytes, Codes.TooLarge, "The event log is too large.");
        return new EventLog(log);
    }

    /// <returns>What the register holds after the log, or null where the log never extends it.</returns>
    public byte[]? Find(string bank, uint index) => _registers.GetValueOrDefault((bank, index));

    /// <summary>
    /// Every register that the log extends and the quote covers holds what the replay gives; at least one does. Those of the firmware are in
    /// the log or were never extended: the log is the firmware's own. Later ones are extended by software that may keep none.
    /// </summary>
    /// <exception cref="AppraisalException">Code <see cref="Codes.EventLogReplay"/>.</exception>
    public void CheckAgainst(IReadOnlyDictionary<string, SortedDictionary<int, byte[]>> quoted)
    {
        var compared = 0;
        foreach (var (bank, registers) in quoted)
        {
            foreach (var (index, value) in registers)
            {
                if (Find(bank, (uint)index) is { } replayed)
                {
                    AppraisalException.ThrowUnless(value.AsSpan().SequenceEqual(replayed), Codes.EventLogReplay, $"The event log does not lead to PCR {index} ({bank}).");
                    compared++;
                }
                else
                {
                    AppraisalException.ThrowUnless(
                        index > LastOfFirmware || value.AsSpan().SequenceEqual(Start(bank, (uint)index)), Codes.EventLogReplay, $"The event log leaves out PCR {index} ({bank}).");
                }
            }
        }

        AppraisalException.ThrowUnless(compared > 0, Codes.EventLogReplay, "The event log leads to none of the quoted PCRs.");
    }

    /// <summary>Confidential computing registers 1 to 4 are RTMR0 to RTMR3.</summary>
    /// <exception cref="AppraisalException">Code <see cref="Codes.EventLogReplay"/>.</exception>
    public void CheckAgainst(Func<int, ReadOnlyMemory<byte>> rtmr)
    {
        for (var i = 0; i < 4; i++)
        {
            var replayed = Find("sha384", (uint)i + 1) ?? new byte[48];
            AppraisalException.ThrowUnless(rtmr(i).Span.SequenceEqual(replayed), Codes.EventLogReplay, $"The event log does not lead to RTMR{i}.");
        }
    }

    private void ReadHeader(ref ByteReader reader)
    {
        reader.U32();
        AppraisalException.ThrowUnless(reader.U32() == NoAction && !reader.Take(20).ContainsAnyExcept((byte)0), Codes.EventLog, "The event log has no header.");
        var header = new ByteReader(reader.Sized(), Codes.EventLog);
        AppraisalException.ThrowUnless(header.Take(16).SequenceEqual("Spec ID Event03\0"u8), Codes.EventLog, "The event log is not crypto-agile.");
        header.Take(8);
        var algorithms = header.U32();
        AppraisalException.ThrowUnless(algorithms is >= 1 and <= 8, Codes.EventLog, "The event log has no bank, or too many.");
        for (var i = 0; i < algorithms; i++)
        {
            var (algorithm, size) = (header.U16(), header.U16());
            AppraisalException.ThrowUnless(size is >= 1 and <= 64 && _digestSizes.TryAdd(algorithm, size)
                && (TpmAlgorithm.BankName(algorithm) is not { } bank || TpmAlgorithm.DigestSize(bank) == size), Codes.EventLog, "The event log's banks cannot be read.");
        }

        header.Take(header.U8());
        header.End();
    }

    private void ReadEvent(ref ByteReader reader, uint index)
    {
        var type = reader.U32();
        var digests = new List<(string Bank, byte[] Digest)>();
        var count = reader.U32();
        AppraisalException.ThrowUnless(count <= (uint)_digestSizes.Count && index < Registers, Codes.EventLog, "An event has too many digests, or an unknown register.");
        for (var i = 0; i < count; i++)
        {
            var algorithm = reader.U16();
            var digest = reader.Take(_digestSizes.TryGetValue(algorithm, out var size) ? size : throw new AppraisalException(Codes.EventLog, "An event has a digest of an unknown bank."));
            if (TpmAlgorithm.BankName(algorithm) is { } bank)
            {
                digests.Add((bank, digest.ToArray()));
            }
        }

        var data = reader.Sized();
        if (type == NoAction)
        {
            ReadStartupLocality(index, data);
            return;
        }

        foreach (var (bank, digest) in digests)
        {
            var old = _registers.GetValueOrDefault((bank, index)) ?? Start(bank, index);
            _registers[(bank, index)] = TpmAlgorithm.Extend(bank, old, digest);
        }
    }

    /// <summary>PCR 0 starts from the locality that started the TPM. It can only be said before the first event of that register.</summary>
    private void ReadStartupLocality(uint index, ReadOnlySpan<byte> data)
    {
        if (index == 0 && data.Length == 17 && data[..16].SequenceEqual("StartupLocality\0"u8))
        {
            AppraisalException.ThrowUnless(!_registers.Keys.Any(static key => key.Index == 0), Codes.EventLog, "The locality of the start comes after the first event.");
            _locality = data[16];
        }
    }

    private byte[] Start(string bank, uint index)
    {
        var start = new byte[TpmAlgorithm.DigestSize(bank)];
        if (index == 0)
        {
            start[^1] = _locality;
        }

        return start;
    }
}
