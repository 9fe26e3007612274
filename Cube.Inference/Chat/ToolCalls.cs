namespace Cube.Inference.Chat;

/// <summary>
/// The tool calls of one choice. Model servers identify the parts of a streamed call in different ways: by index, by id, by both, with the same index for all calls, or not at all.
/// A new id, or a name after a complete call, starts a call. A call is sent to the client when its name is known, with a unique index and id.
/// </summary>
internal sealed class ToolCalls(ClientRequest request)
{
    private const int MaxCalls = 1024;

    private readonly List<ToolCall> _calls = [];
    private readonly List<ToolCall> _sent = [];

    /// <summary>Whether the client receives at least one call.</summary>
    public bool HasAny => _sent.Count > 0;

    /// <summary>False if the name of a call is missing.</summary>
    public bool AllHaveNames => _sent.Count == _calls.Count;

    /// <summary>Calls that were sent to the client without arguments.</summary>
    public IEnumerable<ToolCall> WithoutArguments => _sent.Where(call => !call.HasArguments && IsAllowed(call));

    /// <param name="part">A part of a streamed call.</param>
    /// <param name="call">The call that the part belongs to; null if nothing must be written.</param>
    /// <param name="isNew">Whether this part is the first one that is written for the call.</param>
    /// <returns>False if the part belongs to no call, or a limit is exceeded.</returns>
    public bool TryAdd(in ToolCallPart part, out ToolCall? call, out bool isNew)
    {
        (call, isNew) = (null, false);
        if (part.IsEmpty || request.ToolChoice == ToolChoice.None)
        {
            return true;
        }

        var found = Find(part);
        if (found is null && part.Index is null && !JsonBytes.IsNonEmptyString(part.Id) && !JsonBytes.IsNonEmptyString(part.Name))
        {
            return false;
        }

        return TryAdd(found ?? new ToolCall(part.Index), hasStarted: found is not null, part, out call, out isNew);
    }

    /// <summary>Adds a call of a buffered response: each element is a complete call, regardless of its index.</summary>
    /// <inheritdoc cref="TryAdd(in ToolCallPart, out ToolCall?, out bool)"/>
    public bool TryAddComplete(in ToolCallPart part, out ToolCall? call)
    {
        call = null;
        return part.IsEmpty || request.ToolChoice == ToolChoice.None
            || (JsonBytes.IsNonEmptyString(part.Name) && TryAdd(new ToolCall(null), hasStarted: false, part, out call, out _));
    }

    private bool TryAdd(ToolCall found, bool hasStarted, in ToolCallPart part, out ToolCall? call, out bool isNew)
    {
        (call, isNew) = (null, false);
        if (!hasStarted && _calls.Count == MaxCalls)
        {
            return false;
        }

        found.Merge(part, isIdTaken: FindById(part.Id) is { } other && other != found);
        if (!hasStarted)
        {
            _calls.Add(found);
        }

        if (!found.HasName)
        {
            return found.TryBuffer(part);
        }

        if (found.OutputIndex < 0)
        {
            found.OutputIndex = _sent.Count;
            _sent.Add(found);
            isNew = true;
        }

        call = IsAllowed(found) ? found : null;
        return true;
    }

    private bool IsAllowed(ToolCall call) => call.OutputIndex == 0 || request.AllowsParallelCalls;

    /// <returns>The call that the part continues; null if it starts a new one.</returns>
    private ToolCall? Find(in ToolCallPart part)
    {
        var current = FindLast(part.Index);
        var hasName = JsonBytes.IsNonEmptyString(part.Name);
        if (!JsonBytes.IsNonEmptyString(part.Id))
        {
            return current is { HasName: true } && hasName && (part.Index is null || current.IsComplete || !current.HasNameOf(part)) ? null : current;
        }

        if (FindById(part.Id) is { } same && (!hasName || part.Index is null || same.Index is null || same.Index == part.Index))
        {
            return same;
        }

        // The id may follow in a later part than the name, or the name in a later part than the id.
        return current is { HasServerId: false } && (!hasName || !current.HasName) ? current : null;
    }

    /// <returns>The last call with the index; without an index, the last call.</returns>
    private ToolCall? FindLast(int? index)
    {
        for (var i = _calls.Count - 1; i >= 0; i--)
        {
            if (index is null || _calls[i].Index == index)
            {
                return _calls[i];
            }
        }

        return null;
    }

    private ToolCall? FindById(ReadOnlySpan<byte> id)
    {
        for (var i = _calls.Count - 1; i >= 0 && !id.IsEmpty; i--)
        {
            if (_calls[i].HasId(id))
            {
                return _calls[i];
            }
        }

        return null;
    }
}
