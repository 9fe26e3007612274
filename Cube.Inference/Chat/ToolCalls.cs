
namespace Cube.Inference.Chat;

/// <summary>
/// The tool calls of one choice. Model servers number the parts of a streamed call in different ways: by index, by id, by both, with the same index for all calls, or not at all.
/// A new id, or a name after a complete call, begins a call. A call reaches the client when its name is known, with an index and an id of its own.
/// </summary>
internal sealed class ToolCalls(ClientRequest request)
{
    private const int Most = 1024;

    private readonly List<ToolCall> _calls = [];
    private readonly List<ToolCall> _named = [];

    /// <summary>The answer calls a tool that the client gets to see.</summary>
    public bool HasAny => _named.Count > 0;

    /// <summary>False where a call has come without its name.</summary>
    public bool AreNamed => _named.Count == _calls.Count;

    /// <summary>Calls that the client has been told of and whose arguments were empty.</summary>
    public IEnumerable<ToolCall> WithoutArguments => _named.Where(call => !call.HasArguments && IsWanted(call));

    /// <param name="part">A part of a call.</param>
    /// <param name="call">The call to write the part for; null where there is nothing to write.</param>
    /// <param name="isNew">The client has not been told of the call yet.</param>
    /// <returns>False where the part belongs to no call, or there is too much of it.</returns>
    public bool TryAdd(in CallParts part, out ToolCall? call, out bool isNew)
    {
        (call, isNew) = (null, false);
        if (part.IsEmpty || request.ToolChoice == ToolChoice.None)
        {
            return true;
        }

        var found = Find(part);
        if (found is null && part.Index is null && !JsonBytes.IsText(part.Id) && !JsonBytes.IsText(part.Name))
        {
            return false;
        }

        return TryAdd(found ?? new ToolCall(part.Index), isBegun: found is not null, part, out call, out isNew);
    }

    /// <summary>Adds a call of an answer that is not streamed: each is a whole one, whatever its index says.</summary>
    /// <inheritdoc cref="TryAdd(in CallParts, out ToolCall?, out bool)"/>
    public bool TryAddWhole(in CallParts part, out ToolCall? call)
    {
        call = null;
        return part.IsEmpty || request.ToolChoice == ToolChoice.None
            || (JsonBytes.IsText(part.Name) && TryAdd(new ToolCall(null), isBegun: false, part, out call, out _));
    }

    private bool TryAdd(ToolCall found, bool isBegun, in CallParts part, out ToolCall? call, out bool isNew)
    {
        (call, isNew) = (null, false);
        if (!isBegun && _calls.Count == Most)
        {
            return false;
        }

        found.Complete(part, isIdTaken: FindId(part.Id) is { } other && other != found);
        if (!isBegun)
        {
            _calls.Add(found);
        }

        if (!found.HasName)
        {
            return found.TryHold(part);
        }

        if (found.Place < 0)
        {
            found.Place = _named.Count;
            _named.Add(found);
            isNew = true;
        }

        call = IsWanted(found) ? found : null;
        return true;
    }

    private bool IsWanted(ToolCall call) => call.Place == 0 || request.AllowsParallelCalls;

    /// <returns>The call that a part continues; null where it begins one.</returns>
    private ToolCall? Find(in CallParts part)
    {
        var current = Current(part.Index);
        var hasName = JsonBytes.IsText(part.Name);
        if (!JsonBytes.IsText(part.Id))
        {
            return current is { HasName: true } && hasName && (part.Index is null || current.IsComplete || !current.HasNameOf(part)) ? null : current;
        }

        if (FindId(part.Id) is { } same && (!hasName || part.Index is null || same.Index is null || same.Index == part.Index))
        {
            return same;
        }

        // The id may come after the name, or the name after the id.
        return current is { HasServerId: false } && (!hasName || !current.HasName) ? current : null;
    }

    /// <returns>The last call with the index, or without one the last call.</returns>
    private ToolCall? Current(int? index)
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

    private ToolCall? FindId(ReadOnlySpan<byte> id)
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
