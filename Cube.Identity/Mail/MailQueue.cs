using System.Threading.Channels;
using Cube.Identity.Users;
using Microsoft.Extensions.Options;
using Npgsql;

namespace Cube.Identity.Mail;

/// <summary>
/// Writes and sends mails, one after the other, away from the requests that ordered them: how long a request takes must not tell whether
/// an address belongs to anybody.
/// </summary>
internal sealed partial class MailQueue(
    MailSender sender, MailTokenStore tokens, UserStore users, IOptions<MailOptions> options, TimeProvider time, ILogger<MailQueue> logger) : BackgroundService
{
    private const int Tries = 3;

    private readonly Channel<MailJob> _jobs =
        Channel.CreateBounded<MailJob>(new BoundedChannelOptions(1000) { FullMode = BoundedChannelFullMode.DropWrite });

    public bool IsConfigured => options.Value.IsConfigured;

    /// <summary>EmptyResult happens where no mail is configured.</summary>
    public void Enqueue(MailJob job)
    {
        if (IsConfigured)
        {
            _jobs.Writer.TryWrite(job);
        }
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await foreach (var job in _jobs.Reader.ReadAllAsync(stoppingToken))
        {
            try
            {
                if (await ComposeAsync(job, stoppingToken) is var (to, subject, text))
                {
                    await SendAsync(job, to, subject, text, stoppingToken);
                }
            }
            catch (Exception exception) when (exception is NpgsqlException or TimeoutException)
            {
                NotSent(job.GetType().Name, exception.GetType().Name);
            }
        }
    }

    private async Task SendAsync(MailJob job, string to, string subject, string text, CancellationToken ct)
    {
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                await sender.SendAsync(to, subject, text, ct);
                Sent(job.GetType().Name);
                return;
            }
            // Whatever it is (no STARTTLS, a bad certificate, a refused login, a broken connection), it is a mail that was not sent, never the
            // end of the service.
            catch (Exception exception) when (!ct.IsCancellationRequested)
            {
                // Neither the address nor what a server says about it belongs in a log.
                if (attempt == Tries)
                {
                    NotSent(job.GetType().Name, exception.GetType().Name);
                    return;
                }

                await Task.Delay(TimeSpan.FromSeconds(5 * attempt), time, ct);
            }
        }
    }

    /// <returns>Null where there is nobody to write to.</returns>
    private async Task<(string To, string Subject, string Text)?> ComposeAsync(MailJob job, CancellationToken ct)
    {
        switch (job)
        {
            case MailJob.PasswordReset { Email: var email }
                when await users.FindByNameAsync(email, ct) is { Status: "enabled" } user && await tokens.CreateAsync(user, MailTokenStore.Recover, user.Email, ct) is { } token:
                return (user.Email, "Choose a new password",
                    $"""
                    Somebody, most likely you, asked for a new password of the account {user.Username}.

                    Within five minutes, send the new password together with this token:

                      curl -X PUT {Link("/password/reset")} -H 'Authorization: Bearer {token}' \
                        -H 'Content-Type: application/json' -d '{"{"}"password":"…","confirm_password":"…"{"}"}'

                    If it was not you, do nothing: your password stays as it is.
                    """);
            case MailJob.Verification { Email: var email }
                when await users.FindByNameAsync(email, ct) is { Status: "enabled", VerifiedAt: null } user && await tokens.CreateAsync(user, MailTokenStore.Verify, user.Email, ct) is { } token:
                return (user.Email, "Verify your account", Verification(user.Username, token));
            case MailJob.AddressChange { UserId: var id, Email: var email, PasswordHash: var hash }
                when await users.FindAsync(id, ct) is { } user && user.PasswordHash == hash && await tokens.CreateAsync(user, MailTokenStore.Verify, email, ct) is { } token:
                return (email, "Verify your new address", Verification(user.Username, token));
            case MailJob.AddressNotice { Email: var email, Username: var username, IsChanged: var isChanged }:
                return (email, isChanged ? "Your address was changed" : "A change of your address was requested", Notice(username, isChanged));
            case MailJob.Invitation { UserId: var id, DomainName: var domain } when await users.FindAsync(id, ct) is { } user:
                // The name is another person's text.
                return (user.Email, "You are invited",
                    $"""
                    You are invited to the domain "{domain.ReplaceLineEndings(" ")}".

                    After logging in, {Link("/invitations")} lists your invitations; accept or reject them there within a week.
                    """);
            default:
                return null;
        }
    }

    private string Verification(string username, string token) =>
        $"""
        Open this link within 24 hours to verify the address of the account {username}:

          {Link($"/verify-email?token={token}")}

        If you know nothing of it, do nothing.
        """;

    private static string Notice(string username, bool isChanged) => isChanged
        ? $"""
           The account {username} has another e-mail address now. Mails about it no longer come here.

           If you did not want this, ask an administrator at once.
           """
        : $"""
           Somebody who knows the password of the account {username} asked for another e-mail address.
           It counts when the mail to the new address is answered.

           If it was not you, choose a new password: that voids the change.
           """;

    private string Link(string path) => options.Value.LinkBase.TrimEnd('/') + path;

    [LoggerMessage(Level = LogLevel.Information, Message = "Sent an e-mail of kind {Kind}")]
    private partial void Sent(string kind);

    [LoggerMessage(Level = LogLevel.Error, Message = "Failed to send an e-mail of kind {Kind}: {Reason}")]
    private partial void NotSent(string kind, string reason);
}
