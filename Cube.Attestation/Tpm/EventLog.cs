using Cube.Attestation.Parsing;

namespace Cube.Attestation.Tpm;

/// <summary>
/// A crypto-agile event log (TCG PC Client Platform Firmware Profile, section 10), little-endian; of a vTPM or of a TD (CCEL, UEFI
/// confidential computing protocol). The two differ in the meaning of the register indices.
/// <code>
/// header:  index u32, type u32 (3), 20 zeros, size u32, "Spec ID Event03\0", class u32, 3 bytes version, uintn u8,
///          count u32 { algorithm u16, digest size u16 }, vendor size u8, vendor data
/// events:  index u32, type u32, count u32 { algorithm u16, digest }, size u32, data
/// </code>
/// The log is not signed. It is only accepted if its replay results in the quoted registers.
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
                // The ACPI table of a CCEL is longer than the log and filled with 0xFF.
                AppraisalException.ThrowUnless(!reader.Take(reader.Left).ContainsAnyExcept((byte)0xFF), Codes.EventLog, "Bytes other than padding follow the event log.");
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

    /// <returns>The value of the register after the replay, or null if the log never extends it.</returns>
    public byte[]? Find(string bank, uint index) => _registers.GetValueOrDefault((bank, index));

    /// <summary>
    /// Compares the replay with the quoted registers; at least one register must be compared. Registers 0 to 7 must be in the log or hold their start value,
    /// because the firmware writes both. Other registers may be missing: software that extends them need not log it.
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
                    AppraisalException.ThrowUnless(value.AsSpan().SequenceEqual(replayed), Codes.EventLogReplay, $"The replay of the event log does not result in PCR {index} ({bank}).");
                    compared++;
                }
                else
                {
                    AppraisalException.ThrowUnless(
                        index > LastOfFirmware || value.AsSpan().SequenceEqual(Start(bank, (uint)index)), Codes.EventLogReplay, $"The event log contains no event for the extended PCR {index} ({bank}).");
                }
            }
        }

        AppraisalException.ThrowUnless(compared > 0, Codes.EventLogReplay, "The event log extends none of the quoted PCRs.");
    }

    /// <summary>Compares the replay with the RTMRs. Measurement registers 1 to 4 of a CCEL are RTMR0 to RTMR3.</summary>
    /// <exception cref="AppraisalException">Code <see cref="Codes.EventLogReplay"/>.</exception>
    public void CheckAgainst(Func<int, ReadOnlyMemory<byte>> rtmr)
    {
        for (var i = 0; i < 4; i++)
        {
            var replayed = Find("sha384", (uint)i + 1) ?? new byte[48];
            AppraisalException.ThrowUnless(rtmr(i).Span.SequenceEqual(replayed), Codes.EventLogReplay, $"The replay of the event log does not result in RTMR{i}.");
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
        AppraisalException.ThrowUnless(algorithms is >= 1 and <= 8, Codes.EventLog, "The event log must have 1 to 8 banks.");
        for (var i = 0; i < algorithms; i++)
        {
            var (algorithm, size) = (header.U16(), header.U16());
            AppraisalException.ThrowUnless(size is >= 1 and <= 64 && _digestSizes.TryAdd(algorithm, size)
                && (TpmAlgorithm.BankName(algorithm) is not { } bank || TpmAlgorithm.DigestSize(bank) == size), Codes.EventLog, "The banks of the event log are malformed.");
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

    /// <summary>Reads the StartupLocality event, which sets the start value of PCR 0. It must precede the first event of PCR 0.</summary>
    private void ReadStartupLocality(uint index, ReadOnlySpan<byte> data)
    {
        if (index == 0 && data.Length == 17 && data[..16].SequenceEqual("StartupLocality\0"u8))
        {
            AppraisalException.ThrowUnless(!_registers.Keys.Any(static key => key.Index == 0), Codes.EventLog, "The StartupLocality event follows an event of PCR 0.");
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
