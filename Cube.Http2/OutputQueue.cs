namespace Cube.Http2;

/// <summary>
/// Collects frames and writes them in one call, so that concurrent requests share the cost of encryption and of the system call. <see cref="Lock"/> guards <see cref="Buffer"/>; the frames of a connection are in the
/// order in which they were appended.
/// </summary>
/// <param name="stream">The destination.</param>
/// <param name="written">Called after each write, without the lock.</param>
/// <param name="failed">Called once if a write fails.</param>
internal sealed class OutputQueue(Stream stream, Action written, Action<Exception> failed) : IThreadPoolWorkItem
{
    private OutputBuffer _writing = new();
    private bool _isScheduled;
    private bool _isClosed;

    public Lock Lock { get; } = new();

    /// <summary>The frames that the next write takes. Requires the lock.</summary>
    public OutputBuffer Buffer { get; private set; } = new();

    /// <summary>Writes the buffer soon. Requires the lock.</summary>
    public void Flush()
    {
        if (TryClaim())
        {
            // Not on this thread: the requests that are ready now append their frames to the same write.
            ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: false);
        }
    }

    /// <summary>Claims the write for the caller, who must call <see cref="Write"/> without the lock. Requires the lock.</summary>
    /// <returns>False if there is nothing to write, or another thread writes.</returns>
    public bool TryClaim()
    {
        if (_isClosed)
        {
            Buffer.Clear();
            return false;
        }

        if (_isScheduled || Buffer.Length == 0)
        {
            return false;
        }

        return _isScheduled = true;
    }

    /// <summary>Writes the buffer on this thread, which is faster than another one if no other request is about to append frames. Another thread writes what is appended meanwhile.</summary>
    public void Write() => _ = WriteAsync(isOnce: true);

    public void Close()
    {
        lock (Lock)
        {
            _isClosed = true;
            Buffer.Clear();
        }
    }

    void IThreadPoolWorkItem.Execute() => _ = WriteAsync(isOnce: false);

    private async Task WriteAsync(bool isOnce)
    {
        try
        {
            while (TakeBuffer())
            {
                try
                {
                    await stream.WriteAsync(_writing.Written);
                }
                finally
                {
                    _writing.Clear();
                }

                written();
                if (isOnce)
                {
                    Continue();
                    return;
                }
            }
        }
        catch (Exception exception)
        {
            failed(exception);
        }
    }

    private void Continue()
    {
        lock (Lock)
        {
            _isScheduled = false;
            Flush();
        }
    }

    private bool TakeBuffer()
    {
        lock (Lock)
        {
            if (Buffer.Length == 0 || _isClosed)
            {
                _isScheduled = false;
                return false;
            }

            (Buffer, _writing) = (_writing, Buffer);
            return true;
        }
    }
}
